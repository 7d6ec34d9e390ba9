"""Idempotency records in SQLite, inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple
from typing import TYPE_CHECKING

from blur.accounts.sqlite.rows import record_of
from blur.skew import CLOCK_SKEW_US

if TYPE_CHECKING:
    from blur.accounts.model import IdempotencyRecord, Instant


def claim(
    db: sqlite3.Connection, record: IdempotencyRecord, now_us: Instant
) -> IdempotencyRecord | None:
    """Store the record, or return another record that is still valid; delete expired records.

    The record of a running call is not deleted: a call without its record would not be charged.
    """
    db.execute(
        """
        DELETE FROM records
        WHERE account_id = :id AND forget_us <= :past AND (done OR lease_until_us <= :past)
        """,
        {"id": record.account_id, "past": now_us - CLOCK_SKEW_US},
    )
    found = find(db, record.account_id, record.scope, now_us)
    if found is not None:
        return None if found.hold_id == record.hold_id else found
    db.execute("REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(record))
    return None


def find(
    db: sqlite3.Connection, account_id: str, scope: str, now_us: Instant
) -> IdempotencyRecord | None:
    """Return the record with this scope, or None if it is missing or no longer valid."""
    row = db.execute(
        "SELECT * FROM records WHERE account_id = ? AND scope = ?", (account_id, scope)
    ).fetchone()
    record = None if row is None else record_of(row)
    return record if record and record.is_valid(now_us) else None


def complete(db: sqlite3.Connection, record: IdempotencyRecord) -> bool:
    """Mark the record as done and return True, if it still has the hold of this call."""
    changed = db.execute(
        "UPDATE records SET done = 1 WHERE account_id = ? AND scope = ? AND hold_id = ?",
        (record.account_id, record.scope, record.hold_id),
    )
    return changed.rowcount == 1


def release(db: sqlite3.Connection, record: IdempotencyRecord) -> None:
    """Delete the record, if it still belongs to this call and is not marked as done."""
    db.execute(
        """
        DELETE FROM records WHERE account_id = ? AND scope = ? AND hold_id = ? AND done = 0
        """,
        (record.account_id, record.scope, record.hold_id),
    )

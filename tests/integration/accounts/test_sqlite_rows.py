"""Rows of the SQLite store: ledger entries never change; old holds and records are deleted."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START, after, entry, open_account, take_hold
from tests.integration.accounts.new_file import path, store

from blur.accounts.model import IdempotencyRecord
from blur.skew import CLOCK_SKEW_S

if TYPE_CHECKING:
    from pathlib import Path

    from blur.accounts.sqlite.account_store import SqliteAccountStore

__all__ = ["path", "store"]  # the tests use these fixtures


def test_the_sqlite_file_rejects_changes_and_deletions_of_ledger_entries(
    store: SqliteAccountStore, path: Path
) -> None:
    customer = open_account(store, credits=10)
    store.append_entry(entry(customer.account_id, 5))
    other = sqlite3.connect(path)
    for statement in ("UPDATE entries SET quarters = 0", "DELETE FROM entries"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            other.execute(statement)
    other.close()


def test_settled_and_refunded_holds_are_deleted_after_their_expiry(
    store: SqliteAccountStore, path: Path
) -> None:
    customer = open_account(store, credits=100)
    for end in (store.settle, store.refund):
        for _ in range(10):
            end(take_hold(store, customer, now_us=START), now_us=START)
    store.read_account(customer.account_id, now_us=after(120))
    assert rows_of(path, "holds") == 0


def test_a_new_idempotency_record_deletes_only_expired_records_of_the_same_account(
    store: SqliteAccountStore, path: Path
) -> None:
    ours, theirs = (open_account(store).account_id for _ in range(2))
    for account_id in (ours, theirs):
        for scope, at in (("a", 0), ("b", 99)):
            claim_record(store, account_id, scope, at)
    claim_record(store, ours, "c", 100 + CLOCK_SKEW_S)
    assert rows_of(path, f"records WHERE account_id = '{ours}'") == 2
    assert rows_of(path, f"records WHERE account_id = '{theirs}'") == 2


def claim_record(store: SqliteAccountStore, account_id: str, scope: str, at: int) -> None:
    """Claim an idempotency record that expires 100 seconds after the claim."""
    record = IdempotencyRecord(
        account_id=account_id,
        scope=scope,
        fingerprint="f",
        hold_id=f"{scope}-{at}",
        done=False,
        lease_until_us=after(at + 60),
        forget_us=after(at + 100),
    )
    assert store.claim_record(record, now_us=after(at)) is None


def rows_of(path: Path, table: str) -> int:
    """Return the number of rows of a table, counted with a separate connection to the file."""
    other = sqlite3.connect(path)
    (rows,) = other.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - only our tests pass `table`
    other.close()
    return int(rows)

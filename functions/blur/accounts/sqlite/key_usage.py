"""Each key's usage by month, counted in the same transaction as the charge."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from typing import TYPE_CHECKING

from blur.accounts.model import AccountUsage, KeyCounts, KeyKind, KeyUsage, Usage, usage_month

if TYPE_CHECKING:
    from blur.accounts.model import Hold, Instant


def add(db: sqlite3.Connection, hold: Hold, counts: KeyCounts, now_us: Instant) -> None:
    """Add `counts` to the usage of the hold's key in this month."""
    db.execute(
        """
        INSERT INTO key_usage VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET calls = calls + excluded.calls,
                                  quarters = quarters + excluded.quarters,
                                  pixels = pixels + excluded.pixels,
                                  failures = failures + excluded.failures
        """,
        (hold.account_id, usage_month(now_us), hold.key_digest, *counts),
    )


def list_usage(db: sqlite3.Connection, month: str) -> list[AccountUsage]:
    """Return each account's usage in a month, sorted by the account's id."""
    keys = _keys(db, month)
    rows = db.execute(
        """
        SELECT accounts.*, COALESCE(calls, 0) AS calls, COALESCE(quarters, 0) AS quarters,
               (SELECT COALESCE(SUM(price_quarters), 0) FROM holds
                WHERE holds.account_id = accounts.account_id AND state = 'held') AS held_quarters
        FROM accounts
        LEFT JOIN usage ON usage.account_id = accounts.account_id AND month = ?
        ORDER BY accounts.account_id
        """,
        (month,),
    )
    return [
        AccountUsage(
            account_id=row["account_id"],
            name=row["name"],
            balance=row["balance_quarters"],
            held=row["held_quarters"],
            total=Usage(row["calls"], row["quarters"]),
            keys=tuple(keys[row["account_id"]]),
        )
        for row in rows
    ]


def _keys(db: sqlite3.Connection, month: str) -> defaultdict[str, list[KeyUsage]]:
    """Return the keys' usage for each account."""
    rows = db.execute(
        """
        SELECT key_usage.*, prefix, kind FROM key_usage
        JOIN keys ON keys.account_id = key_usage.account_id AND digest = key_digest
        WHERE month = ? ORDER BY created_us, digest
        """,
        (month,),
    )
    found: defaultdict[str, list[KeyUsage]] = defaultdict(list)
    for row in rows:
        counts = KeyCounts(row["calls"], row["quarters"], row["pixels"], row["failures"])
        found[row["account_id"]].append(KeyUsage(row["prefix"], KeyKind(row["kind"]), counts))
    return found

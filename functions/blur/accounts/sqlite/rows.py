"""Reads SQLite rows as the values of `model`."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blur.account_status import AccountStatus, RateLimit
from blur.accounts import rate
from blur.accounts.model import (
    Account,
    EntryKind,
    Hold,
    IdempotencyRecord,
    Instant,
    KeyKind,
    KeyRecord,
    LedgerEntry,
    Usage,
)

if TYPE_CHECKING:
    from blur.credits import Credits


@dataclass(frozen=True, slots=True)
class Caller:
    """A key, with the balance and the rate limits that decide whether a request is accepted."""

    key: KeyRecord
    balance: Credits
    calls: rate.Bucket
    account_requests: rate.Bucket
    """The bucket for requests that read the account; `calls` is the bucket for calls."""

    def status(self, credits_charged: Credits, now_us: Instant) -> AccountStatus:
        """Return the status of the account and the key."""
        limit_status = rate.rate_limit_status(self.calls, self.key.limit, now_us)
        return AccountStatus(credits_charged, self.balance, limit_status)


def key_of(row: sqlite3.Row) -> KeyRecord:
    """Return the key in a row of the table `keys`."""
    return KeyRecord(
        digest=row["digest"],
        account_id=row["account_id"],
        kind=KeyKind(row["kind"]),
        prefix=row["prefix"],
        created_us=row["created_us"],
        expires_us=row["expires_us"],
        revoked=bool(row["revoked"]),
        limit=RateLimit(row["per_minute"], row["burst"]),
    )


def caller_of(row: sqlite3.Row) -> Caller:
    """Return the caller in a row of the table `keys`, joined with the row of its account."""
    return Caller(
        key=key_of(row),
        balance=row["balance_quarters"],
        calls=rate.Bucket(row["tat_us"], row["allow_us"], row["last_us"]),
        account_requests=rate.Bucket(
            row["inquiry_tat_us"], row["inquiry_allow_us"], row["inquiry_last_us"]
        ),
    )


def hold_of(row: sqlite3.Row) -> Hold:
    """Return the hold in a row of the table `holds`."""
    return Hold(
        hold_id=row["hold_id"],
        account_id=row["account_id"],
        key_digest=row["key_digest"],
        price=row["price_quarters"],
        expires_us=row["expires_us"],
    )


def entry_of(row: sqlite3.Row) -> LedgerEntry:
    """Return the ledger entry in a row of the table `entries`."""
    return LedgerEntry(
        entry_id=row["entry_id"],
        account_id=row["account_id"],
        kind=EntryKind(row["kind"]),
        credits=row["quarters"],
        at_us=row["at_us"],
        note=row["note"],
    )


def record_of(row: sqlite3.Row) -> IdempotencyRecord:
    """Return the idempotency record in a row of the table `records`."""
    return IdempotencyRecord(
        account_id=row["account_id"],
        scope=row["scope"],
        fingerprint=row["fingerprint"],
        hold_id=row["hold_id"],
        done=bool(row["done"]),
        lease_until_us=row["lease_until_us"],
        forget_us=row["forget_us"],
    )


def read_account(db: sqlite3.Connection, account_id: str) -> Account | None:
    """Read an account with its keys, its usage by month and its held credits."""
    row = db.execute(
        """
        SELECT *, (SELECT COALESCE(SUM(price_quarters), 0) FROM holds
                   WHERE account_id = :id AND state = 'held') AS held_quarters
        FROM accounts WHERE account_id = :id
        """,
        {"id": account_id},
    ).fetchone()
    if row is None:
        return None
    return Account(
        account_id=account_id,
        name=row["name"],
        created_us=row["created_us"],
        balance=row["balance_quarters"],
        held=row["held_quarters"],
        granted=row["granted_quarters"],
        used=row["used_quarters"],
        usage=_months(db, account_id),
        keys=tuple(_keys(db, account_id)),
    )


def _keys(db: sqlite3.Connection, account_id: str) -> list[KeyRecord]:
    rows = db.execute(
        "SELECT * FROM keys WHERE account_id = ? ORDER BY created_us, digest", (account_id,)
    )
    return [key_of(row) for row in rows]


def _months(db: sqlite3.Connection, account_id: str) -> dict[str, Usage]:
    rows = db.execute(
        "SELECT month, calls, quarters FROM usage WHERE account_id = ? ORDER BY month",
        (account_id,),
    )
    return {row["month"]: Usage(row["calls"], row["quarters"]) for row in rows}

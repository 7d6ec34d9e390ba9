"""The operator's changes to accounts, keys and the ledger, inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from typing import TYPE_CHECKING

from blur.accounts.admin_errors import (
    AccountExistsError,
    InvalidKeyError,
    OverdrawnError,
    UnknownAccountError,
)
from blur.accounts.operator_input import check_number_of_keys, check_same_entry
from blur.accounts.sqlite.rows import entry_of, read_account

if TYPE_CHECKING:
    from blur.account_status import RateLimit
    from blur.accounts.model import Account, Instant, KeyRecord, LedgerEntry


def create_account(db: sqlite3.Connection, account_id: str, name: str, now_us: Instant) -> None:
    """Create an empty account; see `AccountStore.create_account`."""
    if read_account(db, account_id) is not None:
        message = f"account {account_id} already exists"
        raise AccountExistsError(message)
    db.execute("INSERT INTO accounts VALUES (?, ?, ?, 0, 0, 0)", (account_id, name, now_us))


def require_account(db: sqlite3.Connection, account_id: str) -> Account:
    """Return the account.

    Raises:
        UnknownAccountError: the account does not exist.

    """
    account = read_account(db, account_id)
    if account is None:
        raise UnknownAccountError.no_account(account_id)
    return account


def account_ids(db: sqlite3.Connection) -> list[str]:
    """Return the ids of all accounts, sorted."""
    rows = db.execute("SELECT account_id FROM accounts ORDER BY account_id").fetchall()
    return [row["account_id"] for row in rows]


def read_entries(db: sqlite3.Connection, account_id: str) -> list[LedgerEntry]:
    """Return the account's ledger, oldest entry first."""
    rows = db.execute(
        "SELECT * FROM entries WHERE account_id = ? ORDER BY at_us, entry_id", (account_id,)
    )
    return [entry_of(row) for row in rows]


def append_entry(db: sqlite3.Connection, entry: LedgerEntry) -> None:
    """Append to the ledger, at most once; see `AccountStore.append_entry`."""
    account = require_account(db, entry.account_id)
    row = db.execute(
        "SELECT * FROM entries WHERE account_id = ? AND entry_id = ?",
        (entry.account_id, entry.entry_id),
    ).fetchone()
    if row is not None:
        check_same_entry(entry_of(row), entry)
        return
    if account.balance + entry.credits < 0:
        raise OverdrawnError.by(entry.credits, account.balance)
    db.execute(
        "INSERT INTO entries VALUES (:account_id, :entry_id, :kind, :credits, :at_us, :note)",
        asdict(entry),
    )
    db.execute(
        """
        UPDATE accounts SET balance_quarters = balance_quarters + :credits,
                            granted_quarters = granted_quarters + :credits
        WHERE account_id = :account_id
        """,
        {"credits": entry.credits, "account_id": entry.account_id},
    )


def add_key(db: sqlite3.Connection, key: KeyRecord, now_us: Instant) -> None:
    """Add a key, unless the account already has it; see `AccountStore.add_key`."""
    keys = require_account(db, key.account_id).keys
    if key.digest in {known.digest for known in keys}:
        return
    check_number_of_keys(key, keys, now_us)
    db.execute(
        """
        INSERT INTO keys (account_id, digest, kind, prefix, created_us, expires_us, revoked,
                          per_minute, burst)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            key.account_id,
            key.digest,
            key.kind,
            key.prefix,
            key.created_us,
            key.expires_us,
            key.revoked,
            key.limit.per_minute,
            key.limit.burst,
        ),
    )


def expire_key(db: sqlite3.Connection, account_id: str, key_digest: str, at_us: Instant) -> None:
    """Let the key expire at `at_us`, unless it expires earlier; see `AccountStore.expire_key`."""
    changed = db.execute(
        """
        UPDATE keys SET expires_us = MIN(COALESCE(expires_us, :at), :at)
        WHERE account_id = :account AND digest = :digest
        """,
        {"at": at_us, "account": account_id, "digest": key_digest},
    )
    _require_one(changed, account_id)


def revoke_key(db: sqlite3.Connection, account_id: str, key_digest: str) -> None:
    """Revoke the key; see `AccountStore.revoke_key`."""
    changed = db.execute(
        "UPDATE keys SET revoked = 1 WHERE account_id = ? AND digest = ?",
        (account_id, key_digest),
    )
    _require_one(changed, account_id)


def set_rate_limit(
    db: sqlite3.Connection, account_id: str, key_digest: str, limit: RateLimit
) -> None:
    """Change the key's rate limit and reset its buckets; see `AccountStore.set_rate_limit`."""
    row = db.execute(
        "SELECT revoked FROM keys WHERE account_id = ? AND digest = ?", (account_id, key_digest)
    ).fetchone()
    if row is not None and row["revoked"]:
        raise InvalidKeyError.ended()
    changed = db.execute(
        """
        UPDATE keys SET per_minute = ?, burst = ?, tat_us = 0, allow_us = 0, last_us = 0,
                        inquiry_tat_us = 0, inquiry_allow_us = 0, inquiry_last_us = 0
        WHERE account_id = ? AND digest = ?
        """,
        (limit.per_minute, limit.burst, account_id, key_digest),
    )
    _require_one(changed, account_id)


def _require_one(changed: sqlite3.Cursor, account_id: str) -> None:
    if changed.rowcount != 1:
        raise UnknownAccountError.no_key(account_id)

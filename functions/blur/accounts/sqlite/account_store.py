"""The embedded store: `AccountStore` in one SQLite file, without any server.

Made for one machine: many threads and many processes, and a `kill -9` at any instant. The
request path is inherited from `calls`; here is what operators do besides.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from blur.accounts.checks import check_account, check_entry, check_key, check_limit
from blur.accounts.model import AccountWithLedger
from blur.accounts.ports import (
    AccountExistsError,
    InvalidKeyError,
    OverdrawnError,
    TooManyKeysError,
    UnknownAccountError,
    require_same,
)
from blur.accounts.sqlite import holds
from blur.accounts.sqlite.calls import SqliteCalls
from blur.accounts.sqlite.rows import entry_of, read_account

if TYPE_CHECKING:
    from blur.account_status import RateLimit
    from blur.accounts.model import Account, Instant, KeyRecord, LedgerEntry


class SqliteAccountStore(SqliteCalls):
    """`AccountStore` on one SQLite file; the first call creates folder, file and tables.

    Every method raises `UnavailableError` when the file is locked for two seconds, damaged or
    not writable; the cause is chained to it and nothing has changed.
    """

    def create_account(self, account_id: str, name: str, *, now_us: Instant) -> None:
        """Create an empty account; see `AccountStore.create_account`."""
        check_account(account_id, name)
        with self._file.transaction() as db:
            if read_account(db, account_id) is not None:
                message = f"account {account_id} exists already"
                raise AccountExistsError(message)
            db.execute("INSERT INTO accounts VALUES (?, ?, ?, 0, 0, 0)", (account_id, name, now_us))

    def append_entry(self, entry: LedgerEntry) -> None:
        """Append to the ledger at most once; see `AccountStore.append_entry`."""
        check_entry(entry)
        with self._file.transaction() as db:
            account = _known(db, entry.account_id)
            if appended := _appended(db, entry):
                require_same(appended, entry)
                return
            if account.balance + entry.credits < 0:
                message = f"{entry.credits} credits are more than the balance, {account.balance}"
                raise OverdrawnError(message)
            _append(db, entry)

    def add_key(self, key: KeyRecord, *, now_us: Instant, most: int = 2) -> None:
        """Add a key, or do nothing if it is there already; see `AccountStore.add_key`."""
        check_key(key)
        with self._file.transaction() as db:
            keys = _known(db, key.account_id).keys
            if key.digest in {known.digest for known in keys}:
                return
            valid = [known for known in keys if known.kind is key.kind and known.is_valid(now_us)]
            if len(valid) >= most:
                many = f"{len(valid)} valid {key.kind} keys"
                message = f"account {key.account_id} has {many}; revoke one first"
                raise TooManyKeysError(message)
            _insert_key(db, key)

    def expire_key(self, account_id: str, key_digest: str, *, at_us: Instant) -> None:
        """Let the key end at `at_us` or sooner; see `AccountStore.expire_key`."""
        with self._file.transaction() as db:
            changed = db.execute(
                """
                UPDATE keys SET expires_us = MIN(COALESCE(expires_us, :at), :at)
                WHERE account_id = :account AND digest = :digest
                """,
                {"at": at_us, "account": account_id, "digest": key_digest},
            )
            _require_one(changed, account_id)

    def revoke_key(self, account_id: str, key_digest: str) -> None:
        """End the key for good; see `AccountStore.revoke_key`."""
        with self._file.transaction() as db:
            changed = db.execute(
                "UPDATE keys SET revoked = 1 WHERE account_id = ? AND digest = ?",
                (account_id, key_digest),
            )
            _require_one(changed, account_id)

    def set_rate_limit(self, account_id: str, key_digest: str, limit: RateLimit) -> None:
        """Give the key a rate limit of its own and a rested bucket to start from."""
        check_limit(limit)
        with self._file.transaction() as db:
            if _is_revoked(db, account_id, key_digest):
                message = "the key is revoked or has expired; issue a new key instead"
                raise InvalidKeyError(message)
            changed = db.execute(
                """
                UPDATE keys SET per_minute = ?, burst = ?, tat_us = 0, allow_us = 0, last_us = 0,
                                inquiry_tat_us = 0, inquiry_allow_us = 0, inquiry_last_us = 0
                WHERE account_id = ? AND digest = ?
                """,
                (limit.per_minute, limit.burst, account_id, key_digest),
            )
            _require_one(changed, account_id)

    def read_account(self, account_id: str, *, now_us: Instant) -> Account:
        """Return the account; see `AccountStore.read_account`."""
        check_account(account_id)
        with self._released(account_id, now_us) as db:
            return _known(db, account_id)

    def list_accounts(self, *, now_us: Instant) -> Iterator[Account]:
        """Yield every account by id, each as of the moment it is yielded."""
        with self._file.snapshot() as db:
            rows = db.execute("SELECT account_id FROM accounts ORDER BY account_id").fetchall()
        for row in rows:
            yield self.read_account(row["account_id"], now_us=now_us)

    def list_entries(self, account_id: str) -> Iterator[LedgerEntry]:
        """Yield the account's ledger, oldest first; nothing for an unknown account."""
        with self._file.snapshot() as db:
            ledger = _ledger(db, account_id)
        yield from ledger

    def read_with_ledger(self, account_id: str, *, now_us: Instant) -> AccountWithLedger:
        """Read account and ledger in one transaction; see `AccountStore.read_with_ledger`."""
        check_account(account_id)
        with self._released(account_id, now_us) as db:
            return AccountWithLedger(_known(db, account_id), tuple(_ledger(db, account_id)))

    @contextmanager
    def _released(self, account_id: str, now_us: Instant) -> Iterator[sqlite3.Connection]:
        """Read the account with its expired holds released.

        Only an expired hold makes this a write. A read waits for no other process, while a write
        next to busy processes can wait for its turn for longer than it is given.
        """
        with self._file.snapshot() as db:
            if not holds.has_expired(db, account_id, now_us):
                yield db
                return
        with self._file.transaction() as db:
            holds.bring_home(db, account_id, now_us)
            yield db


def _known(db: sqlite3.Connection, account_id: str) -> Account:
    account = read_account(db, account_id)
    if account is None:
        message = f"there is no account {account_id}"
        raise UnknownAccountError(message)
    return account


def _ledger(db: sqlite3.Connection, account_id: str) -> list[LedgerEntry]:
    rows = db.execute(
        "SELECT * FROM entries WHERE account_id = ? ORDER BY at_us, entry_id", (account_id,)
    )
    return [entry_of(row) for row in rows]


def _appended(db: sqlite3.Connection, entry: LedgerEntry) -> LedgerEntry | None:
    row = db.execute(
        "SELECT * FROM entries WHERE account_id = ? AND entry_id = ?",
        (entry.account_id, entry.entry_id),
    ).fetchone()
    return None if row is None else entry_of(row)


def _append(db: sqlite3.Connection, entry: LedgerEntry) -> None:
    db.execute(
        "INSERT INTO entries VALUES (:account_id, :entry_id, :kind, :credits, :at_us, :note)",
        asdict(entry),
    )
    db.execute(
        """
        UPDATE accounts SET balance = balance + :credits, granted = granted + :credits
        WHERE account_id = :account_id
        """,
        {"credits": entry.credits, "account_id": entry.account_id},
    )


def _is_revoked(db: sqlite3.Connection, account_id: str, key_digest: str) -> bool:
    row = db.execute(
        "SELECT revoked FROM keys WHERE account_id = ? AND digest = ?", (account_id, key_digest)
    ).fetchone()
    return row is not None and bool(row["revoked"])


def _insert_key(db: sqlite3.Connection, key: KeyRecord) -> None:
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


def _require_one(changed: sqlite3.Cursor, account_id: str) -> None:
    if changed.rowcount != 1:
        message = f"there is no such key on account {account_id}"
        raise UnknownAccountError(message)

"""The embedded store: `AccountStore` in one SQLite file, without a server.

The store is for one machine with many threads and processes, each of which can be killed at any
time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from blur.accounts import rate
from blur.accounts.hold_states import HoldEvent, credits_charged
from blur.accounts.model import AccountView, AccountWithLedger, KeyCounts
from blur.accounts.operator_input import check_account, check_entry, check_key, check_limit
from blur.accounts.sqlite import authorization, holds, key_usage, ledger, records
from blur.accounts.sqlite.file import AccountsFile
from blur.credits import ZERO
from blur.errors import InsufficientCreditsError

if TYPE_CHECKING:
    from blur.account_status import AccountStatus, RateLimit
    from blur.accounts.model import (
        Account,
        AccountUsage,
        Hold,
        IdempotencyRecord,
        Instant,
        KeyRecord,
        LedgerEntry,
        Weight,
    )


class SqliteAccountStore:
    """`AccountStore` in one SQLite file; the first call creates the folder, file and tables.

    Each change is one transaction. Each method raises `UnavailableError` if the file is locked for
    too long, damaged or not writable; the cause is chained to the error, and nothing has changed.
    """

    def __init__(self, path: Path) -> None:
        """Keep the path."""
        self._file = AccountsFile(path)
        self._limiter = rate.LimiterClock()

    def authorize(self, account_id: str, key_digest: str, *, now_us: Instant) -> AccountStatus:
        """See `CallStore.authorize`."""
        limiter = self._limiter.start(now_us)
        with self._file.transaction() as db:
            caller = authorization.authenticate(db, account_id, key_digest, now_us)
            authorization.count_request(db, caller, limiter)
            return authorization.read_caller(db, account_id, key_digest).status(ZERO, limiter.us())

    def reserve(self, hold: Hold, *, now_us: Instant) -> AccountStatus:
        """See `CallStore.reserve`."""
        limiter = self._limiter.start(now_us)
        with self._file.transaction() as db:
            status, is_covered = authorization.reserve(db, hold, now_us, limiter)
        if not is_covered:
            raise InsufficientCreditsError(hold.price, status)
        return status

    def settle(
        self, hold: Hold, *, now_us: Instant, weight: Weight | None = None, pixels: int = 0
    ) -> AccountStatus:
        """See `CallStore.settle`; before the expiry, a repeated `settle` reports the charge."""
        counts = KeyCounts(1, hold.price, pixels, 0)
        return self._end(hold, HoldEvent.SETTLE, now_us, weight, counts)

    def refund(
        self, hold: Hold, *, now_us: Instant, weight: Weight | None = None, failed: bool = False
    ) -> AccountStatus:
        """See `CallStore.refund`."""
        counts = KeyCounts(0, ZERO, 0, int(failed))
        return self._end(hold, HoldEvent.REFUND, now_us, weight, counts)

    def add_weight(
        self, account_id: str, key_digest: str, weight: Weight, *, now_us: Instant
    ) -> AccountStatus:
        """See `CallStore.add_weight`."""
        limiter_us = self._limiter.us(now_us)
        with self._file.transaction() as db:
            authorization.add_weight(db, account_id, key_digest, weight, limiter_us)
            return authorization.read_caller(db, account_id, key_digest).status(ZERO, limiter_us)

    def get_account(self, account_id: str, key_digest: str, *, now_us: Instant) -> AccountView:
        """See `CallStore.get_account`."""
        limiter = self._limiter.start(now_us)
        with self._file.transaction() as db:
            caller = authorization.authenticate(db, account_id, key_digest, now_us)
            bucket = authorization.count_account_request(db, caller, limiter)
            account = ledger.require_account(db, account_id)
        limit_status = rate.rate_limit_status(bucket, caller.key.limit, limiter.us())
        return AccountView(account, caller.key, limit_status)

    def has_valid_key(self, account_id: str, key_digest: str, *, now_us: Instant) -> bool:
        """See `CallStore.has_valid_key`."""
        with self._file.snapshot() as db:
            return authorization.is_valid(db, account_id, key_digest, now_us)

    def claim_record(
        self, record: IdempotencyRecord, *, now_us: Instant
    ) -> IdempotencyRecord | None:
        """See `CallStore.claim_record`."""
        with self._file.transaction() as db:
            return records.claim(db, record, now_us)

    def find_record(
        self, account_id: str, scope: str, *, now_us: Instant
    ) -> IdempotencyRecord | None:
        """See `CallStore.find_record`."""
        with self._file.snapshot() as db:
            return records.find(db, account_id, scope, now_us)

    def complete_record(self, record: IdempotencyRecord) -> bool:
        """See `CallStore.complete_record`."""
        with self._file.transaction() as db:
            return records.complete(db, record)

    def release_record(self, record: IdempotencyRecord) -> None:
        """See `CallStore.release_record`."""
        with self._file.transaction() as db:
            records.release(db, record)

    def create_account(self, account_id: str, name: str, *, now_us: Instant) -> None:
        """See `AccountStore.create_account`."""
        check_account(account_id, name)
        with self._file.transaction() as db:
            ledger.create_account(db, account_id, name, now_us)

    def append_entry(self, entry: LedgerEntry) -> None:
        """See `AccountStore.append_entry`."""
        check_entry(entry)
        with self._file.transaction() as db:
            ledger.append_entry(db, entry)

    def add_key(self, key: KeyRecord, *, now_us: Instant) -> None:
        """See `AccountStore.add_key`."""
        check_key(key)
        with self._file.transaction() as db:
            ledger.add_key(db, key, now_us)

    def expire_key(self, account_id: str, key_digest: str, *, at_us: Instant) -> None:
        """See `AccountStore.expire_key`."""
        with self._file.transaction() as db:
            ledger.expire_key(db, account_id, key_digest, at_us)

    def revoke_key(self, account_id: str, key_digest: str) -> None:
        """See `AccountStore.revoke_key`."""
        with self._file.transaction() as db:
            ledger.revoke_key(db, account_id, key_digest)

    def set_rate_limit(self, account_id: str, key_digest: str, limit: RateLimit) -> None:
        """See `AccountStore.set_rate_limit`."""
        check_limit(limit)
        with self._file.transaction() as db:
            ledger.set_rate_limit(db, account_id, key_digest, limit)

    def read_account(self, account_id: str, *, now_us: Instant) -> Account:
        """See `AccountStore.read_account`."""
        check_account(account_id)
        with self._released(account_id, now_us) as db:
            return ledger.require_account(db, account_id)

    def list_accounts(self, *, now_us: Instant) -> Iterator[Account]:
        """See `AccountStore.list_accounts`; each account is read when it is yielded."""
        with self._file.snapshot() as db:
            account_ids = ledger.account_ids(db)
        for account_id in account_ids:
            yield self.read_account(account_id, now_us=now_us)

    def list_usage(self, month: str, *, now_us: Instant) -> Iterator[AccountUsage]:
        """See `AccountStore.list_usage`."""
        del now_us
        with self._file.snapshot() as db:
            accounts = key_usage.list_usage(db, month)
        yield from accounts

    def list_entries(self, account_id: str) -> Iterator[LedgerEntry]:
        """See `AccountStore.list_entries`; an unknown account has no entries."""
        with self._file.snapshot() as db:
            entries = ledger.read_entries(db, account_id)
        yield from entries

    def read_with_ledger(self, account_id: str, *, now_us: Instant) -> AccountWithLedger:
        """See `AccountStore.read_with_ledger`."""
        check_account(account_id)
        with self._released(account_id, now_us) as db:
            account = ledger.require_account(db, account_id)
            return AccountWithLedger(account, tuple(ledger.read_entries(db, account_id)))

    def require_available(self) -> None:
        """See `AccountStore.require_available`."""
        with self._file.transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            # SQLite writes the page of this value even if the value is the same.
            db.execute(f"PRAGMA user_version = {version}")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _end(
        self,
        hold: Hold,
        event: HoldEvent,
        now_us: Instant,
        weight: Weight | None,
        counts: KeyCounts,
    ) -> AccountStatus:
        with self._file.transaction() as db:
            limiter_us = self._limiter.us(now_us)
            if weight and holds.is_held(db, hold, now_us):
                authorization.add_weight(db, hold.account_id, hold.key_digest, weight, limiter_us)
            state = holds.end(db, hold, event, now_us, counts)
            charged = credits_charged(state, hold, now_us) if event is HoldEvent.SETTLE else ZERO
            holds.release_expired(db, hold.account_id, now_us)
            caller = authorization.read_caller(db, hold.account_id, hold.key_digest)
            return caller.status(charged, limiter_us)

    @contextmanager
    def _released(self, account_id: str, now_us: Instant) -> Iterator[sqlite3.Connection]:
        """Release the account's expired holds, and yield a connection to read the account.

        The file is written only if a hold has expired. A read does not wait for other processes. A
        write waits for them, and raises an error if the wait is too long.
        """
        with self._file.snapshot() as db:
            if not holds.has_expired(db, account_id, now_us):
                yield db
                return
        with self._file.transaction() as db:
            holds.release_expired(db, account_id, now_us)
            yield db

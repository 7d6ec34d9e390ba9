"""What one call on the request path needs, on the embedded store."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple
from pathlib import Path

from blur.account_status import AccountStatus
from blur.accounts import rate
from blur.accounts.model import (
    AccountView,
    Claim,
    Hold,
    IdempotencyRecord,
    Instant,
    Reservation,
    Weight,
)
from blur.accounts.ports import UnknownAccountError
from blur.accounts.sqlite import holds, records
from blur.accounts.sqlite.file import AccountsFile
from blur.accounts.sqlite.rows import Caller, caller_of, read_account
from blur.errors import (
    InsufficientCreditsError,
    InvalidApiKeyError,
    RateLimitError,
)


class SqliteCalls:
    """`CallStore` on one SQLite file; each method is one transaction, its checks first."""

    def __init__(self, path: Path) -> None:
        """Keep the path; the first call creates the file."""
        self._file = AccountsFile(path)
        self._limiter = rate.LimiterClock()

    def authorize(self, account_id: str, key_digest: str, *, now_us: Instant) -> AccountStatus:
        """Authenticate and count one request; see `CallStore.authorize`."""
        limiter = self._limiter.start(now_us)
        with self._file.transaction() as db:
            caller = _authenticate(db, account_id, key_digest, now_us)
            _count_call(db, caller, _next(caller, caller.calls, limiter))
            return _caller(db, account_id, key_digest).standing(0, limiter.us())

    def reserve(self, claim: Claim, *, now_us: Instant) -> Reservation:
        """Take a hold at most once for its id; see `CallStore.reserve`.

        The status counts the price as charged, the most that the call can cost. Ended holds
        are remembered until their expiry; `holds` explains why that is enough.
        """
        limiter = self._limiter.start(now_us)
        with self._file.transaction() as db:
            outcome = _reserve(db, claim, now_us, limiter)
        # Raised after the commit: a request without credits counts in the rate limit.
        if isinstance(outcome, InsufficientCreditsError):
            raise outcome
        return outcome

    def settle(self, hold: Hold, *, now_us: Instant, weight: Weight | None = None) -> AccountStatus:
        """Charge the hold unless it has expired; see `CallStore.settle`.

        Settled again before the hold's expiry, it answers what was charged the first time.
        """
        with self._file.transaction() as db:
            if weight and holds.is_held(db, hold, now_us):
                limiter_us = self._limiter.us(now_us)
                _add_weight(db, hold.account_id, hold.key_digest, weight, limiter_us)
            charged = holds.settle(db, hold, now_us)
            holds.bring_home(db, hold.account_id, now_us)
            caller = _caller(db, hold.account_id, hold.key_digest)
            return caller.standing(charged, self._limiter.us(now_us))

    def refund(self, hold: Hold, *, now_us: Instant, weight: Weight | None = None) -> AccountStatus:
        """Give the held credits back once; see `CallStore.refund`."""
        with self._file.transaction() as db:
            if weight and holds.is_held(db, hold, now_us):
                limiter_us = self._limiter.us(now_us)
                _add_weight(db, hold.account_id, hold.key_digest, weight, limiter_us)
            holds.refund(db, hold)
            holds.bring_home(db, hold.account_id, now_us)
            caller = _caller(db, hold.account_id, hold.key_digest)
            return caller.standing(0, self._limiter.us(now_us))

    def add_weight(
        self, account_id: str, key_digest: str, weight: Weight, *, now_us: Instant
    ) -> AccountStatus:
        """Count a call as several requests; see `CallStore.add_weight`."""
        with self._file.transaction() as db:
            _add_weight(db, account_id, key_digest, weight, self._limiter.us(now_us))
            return _caller(db, account_id, key_digest).standing(0, self._limiter.us(now_us))

    def get_account(self, account_id: str, key_digest: str, *, now_us: Instant) -> AccountView:
        """Authenticate and show the account; see `CallStore.get_account`."""
        limiter = self._limiter.start(now_us)
        with self._file.transaction() as db:
            caller = _authenticate(db, account_id, key_digest, now_us)
            bucket = _next(caller, caller.inquiries, limiter)
            db.execute(
                """
                UPDATE keys SET inquiry_tat_us = ?, inquiry_allow_us = ?, inquiry_last_us = ?
                WHERE account_id = ? AND digest = ?
                """,
                (*astuple(bucket), account_id, key_digest),
            )
            account = read_account(db, account_id)
            if account is None:
                raise UnknownAccountError(account_id)
            standing = rate.rate_limit_status(bucket, caller.key.limit, limiter.us())
            return AccountView(account, caller.key, standing)

    def has_valid_key(self, account_id: str, key_digest: str, *, now_us: Instant) -> bool:
        """Return whether the key is valid; see `CallStore.has_valid_key`."""
        with self._file.snapshot() as db:
            row = db.execute(_CALLER + _VALID, (account_id, key_digest, now_us)).fetchone()
            return row is not None

    def claim_record(
        self, record: IdempotencyRecord, *, now_us: Instant
    ) -> IdempotencyRecord | None:
        """Store the record unless another one counts; see `CallStore.claim_record`."""
        with self._file.transaction() as db:
            return records.claim(db, record, now_us)

    def find_record(
        self, account_id: str, scope: str, *, now_us: Instant
    ) -> IdempotencyRecord | None:
        """Return the record that counts now, if there is one."""
        with self._file.snapshot() as db:
            return records.find(db, account_id, scope, now_us)

    def complete_record(self, record: IdempotencyRecord) -> bool:
        """Mark the record done, if the same `hold_id` still owns it."""
        with self._file.transaction() as db:
            return records.complete(db, record)

    def release_record(self, record: IdempotencyRecord) -> None:
        """Delete the record, if the same `hold_id` still owns it and it is not done."""
        with self._file.transaction() as db:
            records.release(db, record)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


_CALLER = """
    SELECT keys.*, accounts.balance FROM keys JOIN accounts USING (account_id)
    WHERE account_id = ? AND digest = ?
"""
_VALID = "AND NOT revoked AND (expires_us IS NULL OR expires_us > ?)"
"""The condition of `KeyRecord.is_valid`. In SQL, a revoked or expired key has no row, like an
unknown one: both are rejected by the same steps, and in the same time."""


def _caller(db: sqlite3.Connection, account_id: str, key_digest: str) -> Caller:
    row = db.execute(_CALLER, (account_id, key_digest)).fetchone()
    if row is None:
        message = f"no such key on account {account_id}"
        raise UnknownAccountError(message)
    return caller_of(row)


def _authenticate(
    db: sqlite3.Connection, account_id: str, key_digest: str, now_us: Instant
) -> Caller:
    holds.bring_home(db, account_id, now_us)
    row = db.execute(_CALLER + _VALID, (account_id, key_digest, now_us)).fetchone()
    if row is None:
        raise InvalidApiKeyError
    return caller_of(row)


def _next(caller: Caller, bucket: rate.Bucket, limiter: rate.LimiterTime) -> rate.Bucket:
    limiter_us = limiter.us(bucket)
    after = rate.count_request(bucket, caller.key.limit, limiter_us)
    if isinstance(after, rate.Bucket):
        return after
    message = f"Too many requests; try again in {after.retry_after_s} s."
    limit_status = rate.rate_limit_status(bucket, caller.key.limit, limiter_us)
    status = AccountStatus(0, caller.balance, limit_status)
    raise RateLimitError(message, retry_after_s=after.retry_after_s, account_status=status)


def _reserve(
    db: sqlite3.Connection, claim: Claim, now_us: Instant, limiter: rate.LimiterTime
) -> Reservation | InsufficientCreditsError:
    caller = _authenticate(db, claim.account_id, claim.key_digest, now_us)
    found = holds.find(db, claim.account_id, claim.hold_id)
    if found is not None:
        return Reservation(found[0], caller.standing(found[0].price, limiter.us()))
    _count_call(db, caller, _next(caller, caller.calls, limiter))
    if caller.balance < claim.price:
        caller = _caller(db, claim.account_id, claim.key_digest)
        return InsufficientCreditsError(claim.price, caller.standing(0, limiter.us()))
    hold = holds.take(db, claim, now_us)
    caller = _caller(db, claim.account_id, claim.key_digest)
    return Reservation(hold, caller.standing(hold.price, limiter.us()))


def _count_call(db: sqlite3.Connection, caller: Caller, bucket: rate.Bucket) -> None:
    db.execute(
        "UPDATE keys SET tat_us = ?, allow_us = ?, last_us = ? WHERE account_id = ? AND digest = ?",
        (*astuple(bucket), caller.key.account_id, caller.key.digest),
    )


def _add_weight(
    db: sqlite3.Connection, account_id: str, key_digest: str, weight: Weight, now_us: Instant
) -> None:
    caller = _caller(db, account_id, key_digest)
    bucket = rate.add_weight(caller.calls, caller.key.limit, weight.requests, now_us)
    _count_call(db, caller, bucket)

"""Authentication and the rate limit, inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import astuple
from typing import TYPE_CHECKING

from blur.account_status import AccountStatus
from blur.accounts import rate
from blur.accounts.admin_errors import UnknownAccountError
from blur.accounts.sqlite import holds
from blur.accounts.sqlite.rows import Caller, caller_of
from blur.credits import ZERO
from blur.errors import (
    InsufficientCreditsError,
    InvalidApiKeyError,
    RateLimitError,
)

if TYPE_CHECKING:
    from blur.accounts.model import Hold, Instant, Weight

_CALLER = """
    SELECT keys.*, accounts.balance_quarters FROM keys JOIN accounts USING (account_id)
    WHERE account_id = ? AND digest = ?
"""
_VALID = "AND NOT revoked AND (expires_us IS NULL OR expires_us > ?)"
"""`KeyRecord.is_valid` as a condition in SQL. With this condition, a query finds no row for a
revoked or expired key, as for an unknown key. So the same steps, in the same time, reject all three
kinds of keys."""


def authenticate(
    db: sqlite3.Connection, account_id: str, key_digest: str, now_us: Instant
) -> Caller:
    """Release the account's expired holds and return the caller.

    Raises:
        InvalidApiKeyError: the key is unknown, revoked or expired.

    """
    holds.release_expired(db, account_id, now_us)
    row = _valid_row(db, account_id, key_digest, now_us)
    if row is None:
        raise InvalidApiKeyError
    return caller_of(row)


def is_valid(db: sqlite3.Connection, account_id: str, key_digest: str, now_us: Instant) -> bool:
    """Return whether the key is valid, without writing to the file."""
    return _valid_row(db, account_id, key_digest, now_us) is not None


def read_caller(db: sqlite3.Connection, account_id: str, key_digest: str) -> Caller:
    """Return the caller, even if the key is no longer valid.

    Raises:
        UnknownAccountError: the account or the key does not exist.

    """
    row = db.execute(_CALLER, (account_id, key_digest)).fetchone()
    if row is None:
        raise UnknownAccountError.no_key(account_id)
    return caller_of(row)


def reserve(
    db: sqlite3.Connection, hold: Hold, now_us: Instant, limiter: rate.LimiterTime
) -> tuple[AccountStatus, bool]:
    """Count the request and create the hold, unless the hold already exists.

    Return the account's status, and whether the balance covers the hold. If it does not, no error
    is raised, so that the transaction is committed: the rate limit also counts such a request.
    """
    caller = authenticate(db, hold.account_id, hold.key_digest, now_us)
    if holds.find(db, hold.account_id, hold.hold_id):
        return caller.status(hold.price, limiter.us()), True
    count_request(db, caller, limiter)
    is_covered = caller.balance >= hold.price
    if is_covered:
        holds.create(db, hold)
    caller = read_caller(db, hold.account_id, hold.key_digest)
    return caller.status(hold.price if is_covered else ZERO, limiter.us()), is_covered


def reserve_uncounted(db: sqlite3.Connection, hold: Hold, now_us: Instant) -> None:
    """Hold the price without counting a request; if the hold exists, extend its lifetime.

    Raises:
        InvalidApiKeyError: the key is unknown, revoked or expired.
        InsufficientCreditsError: the balance does not cover the hold.

    """
    caller = authenticate(db, hold.account_id, hold.key_digest, now_us)
    if holds.find(db, hold.account_id, hold.hold_id):
        holds.extend(db, hold)
    elif caller.balance >= hold.price:
        holds.create(db, hold)
    else:
        raise InsufficientCreditsError(hold.price, caller.status(ZERO, now_us))


def count_request(db: sqlite3.Connection, caller: Caller, limiter: rate.LimiterTime) -> None:
    """Count one request towards the key's rate limit.

    Raises:
        RateLimitError: the key has no requests left.

    """
    _write_bucket(db, caller, _next_bucket(caller, caller.calls, limiter))


def count_account_request(
    db: sqlite3.Connection, caller: Caller, limiter: rate.LimiterTime
) -> rate.Bucket:
    """Count one request that reads the account, in a separate bucket, and return the new bucket.

    Raises:
        RateLimitError: the key has reached the rate limit of these requests.

    """
    bucket = _next_bucket(caller, caller.account_requests, limiter)
    db.execute(
        """
        UPDATE keys SET inquiry_tat_us = ?, inquiry_allow_us = ?, inquiry_last_us = ?
        WHERE account_id = ? AND digest = ?
        """,
        (*astuple(bucket), caller.key.account_id, caller.key.digest),
    )
    return bucket


def add_weight(
    db: sqlite3.Connection, account_id: str, key_digest: str, weight: Weight, now_us: Instant
) -> None:
    """Add the weight of a call to the key's rate limit."""
    caller = read_caller(db, account_id, key_digest)
    bucket = rate.add_weight(caller.calls, caller.key.limit, weight.requests, now_us)
    _write_bucket(db, caller, bucket)


def _valid_row(
    db: sqlite3.Connection, account_id: str, key_digest: str, now_us: Instant
) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        _CALLER + _VALID, (account_id, key_digest, now_us)
    ).fetchone()
    return row


def _next_bucket(caller: Caller, bucket: rate.Bucket, limiter: rate.LimiterTime) -> rate.Bucket:
    limiter_us = limiter.us(bucket)
    after = rate.count_request(bucket, caller.key.limit, limiter_us)
    if isinstance(after, rate.Bucket):
        return after
    limit_status = rate.rate_limit_status(bucket, caller.key.limit, limiter_us)
    status = AccountStatus(ZERO, caller.balance, limit_status)
    raise RateLimitError(after.retry_after_s, status)


def _write_bucket(db: sqlite3.Connection, caller: Caller, bucket: rate.Bucket) -> None:
    db.execute(
        "UPDATE keys SET tat_us = ?, allow_us = ?, last_us = ? WHERE account_id = ? AND digest = ?",
        (*astuple(bucket), caller.key.account_id, caller.key.digest),
    )

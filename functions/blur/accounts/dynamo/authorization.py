"""Authorization: one conditional write checks the key, counts the request and takes a hold.

A key's bucket, which counts the requests for its rate limit, is idle or busy (see `rate`), and an
update cannot choose between the two states. So each write assumes one state. The first write
assumes the state that this process read last. If the first write is rejected, the response has the
stored item, which shows the reason, and whether a write for the other state would succeed. If other
calls arrive between the two writes, the second write can be rejected, too. So there can be up to
`MAX_ATTEMPTS` writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blur.account_status import AccountStatus
from blur.accounts import rate
from blur.accounts.dynamo import holds, schema
from blur.accounts.dynamo.items import (
    CALLS,
    BucketNames,
    bucket_of,
    key_of,
    rate_limit_status_of,
    status_of,
)
from blur.accounts.dynamo.table import ConditionFailedError, DynamoTable
from blur.accounts.dynamo.values import Expressions, Item
from blur.accounts.hold_states import HoldState
from blur.credits import ZERO, Credits
from blur.errors import (
    InsufficientCreditsError,
    InvalidApiKeyError,
    RateLimitError,
    UnavailableError,
)

if TYPE_CHECKING:
    from blur.accounts.model import Hold, Instant

MAX_REMEMBERED_BUCKETS = 10_000
"""A process remembers the state of at most this many buckets."""
MAX_ATTEMPTS = 8
"""The maximum number of writes for one request; other requests with the same key can cause
retries."""


@dataclass(frozen=True, slots=True)
class RateCheck:
    """A request with an API key, and the rate limit's bucket that counts the request."""

    account_id: str
    key_digest: str
    bucket: BucketNames
    now_us: Instant
    limiter: rate.LimiterTime
    limiter_us: Instant
    """The time at which the bucket counts the request; `rate` explains this time."""

    @classmethod
    def start(
        cls,
        table: DynamoTable,
        account_id: str,
        key_digest: str,
        bucket: BucketNames,
        now_us: Instant,
    ) -> RateCheck:
        """Return the rate check for a new request. The key's bucket is not read yet."""
        limiter = table.limiter.start(now_us)
        return cls(account_id, key_digest, bucket, now_us, limiter, limiter.us())


Branch = Callable[[Expressions, RateCheck], None]
"""A function that adds the bucket's new values to an update, and the condition for these values.

One function is for idle buckets, one for busy buckets; the latter also checks the rate limit.
"""


def apply_rate_limit(table: DynamoTable, check: RateCheck, hold: Hold | None = None) -> Item:
    """Authenticate and count the request, and reserve `hold` unless it is None.

    Return the account's item.

    If the balance does not cover the hold, a second write counts the request without the hold.

    Raises:
        InvalidApiKeyError: the key is unknown, revoked or expired.
        RateLimitError: the key has no requests left.
        InsufficientCreditsError: the balance does not cover the hold.

    """
    branch = _first_branch(table, check)
    balance: Credits | None = None  # set if the balance is below the price
    for _ in range(MAX_ATTEMPTS):
        update = _update(branch, check, hold if balance is None else None)
        try:
            item = table.update(schema.account_key(check.account_id), update)
        except ConditionFailedError as failed:
            item = _authenticated(failed.item, check, check.now_us)
        else:
            _remember(table, item, check)
            if hold and balance is not None:
                left = rate_limit_status_of(item, check.key_digest, CALLS, check.limiter_us)
                raise InsufficientCreditsError(hold.price, AccountStatus(ZERO, balance, left))
            return holds.release_expired(table, check.account_id, item, check.now_us)
        item = holds.release_expired(table, check.account_id, item, check.now_us)
        _authenticated(item, check, check.now_us)
        if hold and holds.state_of(item, hold.hold_id):
            return item
        bucket = bucket_of(item, check.key_digest, check.bucket)
        check = replace(check, limiter_us=check.limiter.us(bucket))
        branch = _branch(item, check)
        is_covered = hold is None or item["balance"] >= hold.price
        balance = None if is_covered else item["balance"]
    raise _account_is_busy()


def reserve_uncounted(table: DynamoTable, hold: Hold, now_us: Instant) -> None:
    """Hold the price without counting a request; if the hold exists, extend its lifetime.

    Raises:
        InvalidApiKeyError: the key is unknown, revoked or expired.
        InsufficientCreditsError: the balance does not cover the hold.

    """
    add: Callable[[Expressions, Hold, Instant], None] = holds.create
    for _ in range(MAX_ATTEMPTS):
        update = _with_valid_key(hold.key_digest, now_us)
        add(update, hold, now_us)
        try:
            item = table.update(schema.account_key(hold.account_id), update)
        except ConditionFailedError as failed:
            item = _authenticated(failed.item, hold, now_us)
        else:
            holds.release_expired(table, hold.account_id, item, now_us)
            return
        item = holds.release_expired(table, hold.account_id, item, now_us)
        _authenticated(item, hold, now_us)
        state = holds.state_of(item, hold.hold_id)
        if state is HoldState.HELD and item["holds"][hold.hold_id]["x"] < hold.expires_us:
            add = holds.extend
        elif state:
            return
        elif item["balance"] >= hold.price:
            add = holds.create
        else:
            status = status_of(item, hold.key_digest, ZERO, table.limiter.us(now_us))
            raise InsufficientCreditsError(hold.price, status)
    raise _account_is_busy()


def _account_is_busy() -> UnavailableError:
    message = "Too many calls use this account at the same time. Try again."
    return UnavailableError(message, retry_after_s=1)


def _first_branch(table: DynamoTable, check: RateCheck) -> Branch:
    """Choose the branch for the state in which this process last read the bucket."""
    busy_until_us = table.busy_until.get((check.key_digest, check.bucket[0]), 0)
    return _count_busy if busy_until_us > check.limiter_us else _count_idle


def _remember(table: DynamoTable, item: Item, check: RateCheck) -> None:
    if check.key_digest not in item["keys"]:
        return
    if len(table.busy_until) >= MAX_REMEMBERED_BUCKETS:
        table.busy_until.clear()
    tat_us = bucket_of(item, check.key_digest, check.bucket).tat_us
    table.busy_until[check.key_digest, check.bucket[0]] = tat_us


def _update(branch: Branch, check: RateCheck, hold: Hold | None) -> Expressions:
    update = _with_valid_key(check.key_digest, check.now_us)
    branch(update, check)
    if hold:
        holds.create(update, hold, check.now_us)
    return update


def _with_valid_key(key_digest: str, now_us: Instant) -> Expressions:
    """Return an update that only checks, as its condition, that the key is valid."""
    update = Expressions()
    key = ("keys", key_digest)
    update.conditions += [
        f"{update.path(*key, 'x')} > {update.value(now_us)}",
        f"attribute_not_exists({update.path(*key, 'r')})",
    ]
    return update


def _count_idle(update: Expressions, check: RateCheck) -> None:
    tat, allow, last, interval, slack = _paths(update, check, "i", "s")
    now = update.value(check.limiter_us)
    update.conditions.append(f"{tat} <= {now}")
    update.sets += [f"{tat} = {now} + {interval}", f"{allow} = {now} + {slack}", f"{last} = {now}"]


def _count_busy(update: Expressions, check: RateCheck) -> None:
    tat, allow, last, interval = _paths(update, check, "i")
    now = update.value(check.limiter_us)
    update.conditions += [f"{tat} > {now}", f"{allow} <= {now}"]
    update.sets += [
        f"{tat} = {tat} + {interval}",
        f"{allow} = {allow} + {interval}",
        f"{last} = {now}",
    ]


def _paths(update: Expressions, check: RateCheck, *more: str) -> list[str]:
    # Add only names that the branch uses: DynamoDB rejects names that no expression uses.
    return [update.path("keys", check.key_digest, name) for name in (*check.bucket, *more)]


def _branch(item: Item, check: RateCheck) -> Branch:
    """Return the branch for the bucket's state.

    Raises:
        RateLimitError: the key has no requests left.

    """
    bucket = bucket_of(item, check.key_digest, check.bucket)
    limit = key_of(item, check.account_id, check.key_digest).limit
    after = rate.count_request(bucket, limit, check.limiter_us)
    if isinstance(after, rate.Refusal):
        left = rate_limit_status_of(item, check.key_digest, check.bucket, check.limiter_us)
        raise RateLimitError(after.retry_after_s, AccountStatus(ZERO, item["balance"], left))
    return _count_idle if bucket.tat_us <= check.limiter_us else _count_busy


def _authenticated(item: Item | None, caller: RateCheck | Hold, now_us: Instant) -> Item:
    if item is None or caller.key_digest not in item["keys"]:
        raise InvalidApiKeyError
    if not key_of(item, caller.account_id, caller.key_digest).is_valid(now_us):
        raise InvalidApiKeyError
    return item

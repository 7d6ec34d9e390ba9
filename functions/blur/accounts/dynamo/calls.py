"""Admission: one conditional write that authenticates, counts and takes a hold.

The write names what it expects of the key's bucket, idle or busy (see `rate`), since a condition
cannot choose. It starts with the branch that this process has seen last; when it is refused, the
old item that comes with the refusal shows why, and if the other branch would succeed. The other
branch can be refused too, if other calls have come in between, so this repeats a bounded number of
times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from blur.account_status import AccountStatus
from blur.accounts import rate
from blur.accounts.dynamo import holds, schema
from blur.accounts.dynamo.items import (
    CALLS,
    INQUIRIES,
    BucketNames,
    account_of,
    bucket_of,
    key_of,
    rate_of,
    standing_of,
)
from blur.accounts.dynamo.table import ConditionFailedError, DynamoTable
from blur.accounts.dynamo.values import Expressions, Item
from blur.accounts.dynamo.weights import additions
from blur.accounts.model import AccountView, Claim, Hold, Instant, Reservation, Weight
from blur.errors import (
    InsufficientCreditsError,
    InvalidApiKeyError,
    RateLimitError,
    UnavailableError,
)

MOST_REMEMBERED = 10_000
"""Buckets whose state a process remembers."""
ROUNDS = 8
"""Writes after which a call gives up on a key that so many others use at the same moment."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a key, and the bucket that counts it."""

    account_id: str
    key_digest: str
    bucket: BucketNames
    now_us: Instant
    limiter: rate.LimiterTime
    limiter_us: Instant
    """The time of the request in the bucket, which `rate` explains."""

    @classmethod
    def begin(
        cls,
        table: DynamoTable,
        account_id: str,
        key_digest: str,
        bucket: BucketNames,
        now_us: Instant,
    ) -> Visit:
        """Begin a request whose bucket has not been read yet."""
        limiter = table.limiter.start(now_us)
        return cls(account_id, key_digest, bucket, now_us, limiter, limiter.us())


Branch = Callable[[Expressions, Visit], None]
"""Adds the conditions and the new state of one of the bucket's branches to an update."""


def authorize(
    table: DynamoTable, account_id: str, key_digest: str, now_us: Instant
) -> AccountStatus:
    """See `CallStore.authorize`."""
    item = _enter(table, Visit.begin(table, account_id, key_digest, CALLS, now_us))
    return standing_of(item, key_digest, 0, table.limiter.us(now_us))


def get_account(
    table: DynamoTable, account_id: str, key_digest: str, now_us: Instant
) -> AccountView:
    """See `CallStore.get_account`."""
    item = _enter(table, Visit.begin(table, account_id, key_digest, INQUIRIES, now_us))
    if key_digest not in item["keys"]:  # revoked in the middle of this call
        raise InvalidApiKeyError
    key = key_of(item, account_id, key_digest)
    standing = rate_of(item, key_digest, INQUIRIES, table.limiter.us(now_us))
    return AccountView(account_of(item), key, standing)


def reserve(table: DynamoTable, claim: Claim, now_us: Instant) -> Reservation:
    """See `CallStore.reserve`."""
    visit = Visit.begin(table, claim.account_id, claim.key_digest, CALLS, now_us)
    item = _enter(table, visit, claim)
    hold = holds.find(item, claim, now_us)
    if hold is None:
        message = "The accounts cannot be reached at the moment."
        raise UnavailableError(message, retry_after_s=1)
    limiter_us = table.limiter.us(now_us)
    return Reservation(hold, standing_of(item, claim.key_digest, hold.price, limiter_us))


def settle(table: DynamoTable, hold: Hold, now_us: Instant, weight: Weight | None) -> AccountStatus:
    """See `CallStore.settle`."""
    charged, item = holds.settle(table, hold, now_us, weight)
    return _standing_after(table, hold, item, charged, now_us)


def refund(table: DynamoTable, hold: Hold, now_us: Instant, weight: Weight | None) -> AccountStatus:
    """See `CallStore.refund`."""
    item = holds.refund(table, hold, now_us, weight)
    return _standing_after(table, hold, item, 0, now_us)


def add_weight(
    table: DynamoTable, account_id: str, key_digest: str, weight: Weight, now_us: Instant
) -> AccountStatus:
    """See `CallStore.add_weight`."""
    limiter_us = table.limiter.us(now_us)
    for add in additions(key_digest, weight, limiter_us):
        update = Expressions()
        update.conditions.append(f"attribute_exists({update.path('balance')})")
        add(update)
        if not update.sets:
            break
        try:
            item = table.update(schema.account_key(account_id), update)
        except ConditionFailedError as failed:
            item = holds.known(failed.item, account_id)
        else:
            break
    return standing_of(item, key_digest, 0, limiter_us)


def _standing_after(
    table: DynamoTable, hold: Hold, item: Item, charged: int, now_us: Instant
) -> AccountStatus:
    item = holds.tidy(table, hold.account_id, item, now_us)
    return standing_of(item, hold.key_digest, charged, table.limiter.us(now_us))


def _enter(table: DynamoTable, visit: Visit, claim: Claim | None = None) -> Item:
    """Count the request, take the claim's hold if there is one, and return the item.

    Where the balance does not cover the claim, a second write counts the request alone.
    """
    branch = _first_branch(table, visit)
    balance: int | None = None  # set once it is found to be below the price
    for _ in range(ROUNDS):
        update = _update(branch, visit, claim if balance is None else None)
        try:
            item = table.update(schema.account_key(visit.account_id), update)
        except ConditionFailedError as failed:
            item = _authenticated(failed.item, visit)
        else:
            _remember(table, item, visit)
            if claim and balance is not None:
                left = rate_of(item, visit.key_digest, CALLS, visit.limiter_us)
                raise InsufficientCreditsError(claim.price, AccountStatus(0, balance, left))
            return holds.tidy(table, visit.account_id, item, visit.now_us)
        item = _authenticated(holds.tidy(table, visit.account_id, item, visit.now_us), visit)
        if claim and holds.find(item, claim, visit.now_us):
            return item
        bucket = bucket_of(item, visit.key_digest, visit.bucket)
        visit = replace(visit, limiter_us=visit.limiter.us(bucket))
        branch = _branch(item, visit)
        is_covered = claim is None or item["balance"] >= claim.price
        balance = None if is_covered else item["balance"]
    message = "Too many calls use this account at the same moment."
    raise UnavailableError(message, retry_after_s=1)


def _first_branch(table: DynamoTable, visit: Visit) -> Branch:
    """Choose the branch that the bucket called for when this process last saw it."""
    busy_until_us = table.busy_until.get((visit.key_digest, visit.bucket[0]), 0)
    return _busy if busy_until_us > visit.limiter_us else _idle


def _remember(table: DynamoTable, item: Item, visit: Visit) -> None:
    if visit.key_digest not in item["keys"]:
        return
    if len(table.busy_until) >= MOST_REMEMBERED:
        table.busy_until.clear()
    tat_us = bucket_of(item, visit.key_digest, visit.bucket).tat_us
    table.busy_until[visit.key_digest, visit.bucket[0]] = tat_us


def _update(branch: Branch, visit: Visit, claim: Claim | None) -> Expressions:
    update = Expressions()
    key = ("keys", visit.key_digest)
    update.conditions += [
        f"{update.path(*key, 'x')} > {update.value(visit.now_us)}",
        f"attribute_not_exists({update.path(*key, 'r')})",
    ]
    branch(update, visit)
    if claim:
        holds.take(update, claim, visit.now_us)
    return update


def _idle(update: Expressions, visit: Visit) -> None:
    tat, allow, last, interval, slack = _paths(update, visit, "i", "s")
    now = update.value(visit.limiter_us)
    update.conditions.append(f"{tat} <= {now}")
    update.sets += [f"{tat} = {now} + {interval}", f"{allow} = {now} + {slack}", f"{last} = {now}"]


def _busy(update: Expressions, visit: Visit) -> None:
    tat, allow, last, interval = _paths(update, visit, "i")
    now = update.value(visit.limiter_us)
    update.conditions += [f"{tat} > {now}", f"{allow} <= {now}"]
    update.sets += [
        f"{tat} = {tat} + {interval}",
        f"{allow} = {allow} + {interval}",
        f"{last} = {now}",
    ]


def _paths(update: Expressions, visit: Visit, *more: str) -> list[str]:
    # Just those that a branch uses: DynamoDB refuses names that no expression has.
    return [update.path("keys", visit.key_digest, name) for name in (*visit.bucket, *more)]


def _branch(item: Item, visit: Visit) -> Branch:
    """Choose the branch that the bucket calls for; refuse the request if there is none."""
    bucket = bucket_of(item, visit.key_digest, visit.bucket)
    limit = key_of(item, visit.account_id, visit.key_digest).limit
    after = rate.count_request(bucket, limit, visit.limiter_us)
    if isinstance(after, rate.Refusal):
        message = f"Too many requests; try again in {after.retry_after_s} s."
        limit_status = rate_of(item, visit.key_digest, visit.bucket, visit.limiter_us)
        status = AccountStatus(0, item["balance"], limit_status)
        raise RateLimitError(message, retry_after_s=after.retry_after_s, account_status=status)
    return _idle if bucket.tat_us <= visit.limiter_us else _busy


def _authenticated(item: Item | None, visit: Visit) -> Item:
    if item is None or visit.key_digest not in item["keys"]:
        raise InvalidApiKeyError
    if not key_of(item, visit.account_id, visit.key_digest).is_valid(visit.now_us):
        raise InvalidApiKeyError
    return item

"""Adds the weight of a call to the rate-limit bucket of its key.

The last write of the call adds the weight.

`rate.add_weight` limits the bucket with `min`, which an update of DynamoDB cannot compute. So up to
three updates are tried, in this order: the first adds the whole weight, if the result is not above
the bucket's upper bound; the second sets the bucket to this bound; the third does not change the
bucket. If the call has a hold, each of these updates also settles or refunds the hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from blur.accounts import rate
from blur.accounts.dynamo.items import CALLS, require_account
from blur.accounts.dynamo.schema import account_key
from blur.accounts.dynamo.table import ConditionFailedError, DynamoTable
from blur.accounts.dynamo.values import Expressions, Item

if TYPE_CHECKING:
    from blur.accounts.model import Instant, Weight

Addition = Callable[[Expressions], None]
"""Adds to an update a change of the key's rate-limit bucket, and the conditions for this change."""


def add_weight(
    table: DynamoTable, account_id: str, key_digest: str, weight: Weight, now_us: Instant
) -> Item:
    """Add the weight for a call without a hold, and return the account's item."""
    for add in additions(key_digest, weight, now_us):
        update = Expressions()
        update.conditions.append(f"attribute_exists({update.path('balance')})")
        add(update)
        if not update.sets:
            break
        try:
            return table.update(account_key(account_id), update)
        except ConditionFailedError as failed:
            item = require_account(failed.item, account_id)
    return item


def additions(key_digest: str, weight: Weight | None, now_us: Instant) -> Iterator[Addition]:
    """Yield ways to change the bucket, which the caller tries in this order until one succeeds."""
    if weight:
        limit = weight.limit
        bound_us = now_us + rate.max_ahead_us(limit)
        shift_us = min(weight.requests * rate.interval_us(limit), rate.max_ahead_us(limit))

        def add_all(update: Expressions) -> None:
            tat, allow = _bucket(update, key_digest, weight)
            shift = update.value(shift_us)
            update.conditions.append(f"{tat} <= {update.value(bound_us - shift_us)}")
            update.sets += [f"{tat} = {tat} + {shift}", f"{allow} = {allow} + {shift}"]

        def fill(update: Expressions) -> None:
            tat, allow = _bucket(update, key_digest, weight)
            bound = update.value(bound_us)
            allow_us = bound_us - (limit.burst - 1) * rate.interval_us(limit)
            update.conditions += [
                f"{tat} > {update.value(bound_us - shift_us)}",
                f"{tat} < {bound}",
            ]
            update.sets += [f"{tat} = {bound}", f"{allow} = {update.value(allow_us)}"]

        yield add_all
        yield fill
    yield _leave


def _leave(update: Expressions) -> None:
    """Leave the update unchanged, so that the bucket does not change."""


def _bucket(update: Expressions, key_digest: str, weight: Weight) -> tuple[str, str]:
    """Return the paths of a bucket's `tat_us` and `allow_us`.

    A condition is added to the update: the key's rate limit has not changed.
    """
    for name, value in (("m", weight.limit.per_minute), ("b", weight.limit.burst)):
        update.conditions.append(f"{update.path('keys', key_digest, name)} = {update.value(value)}")
    tat, allow = (update.path("keys", key_digest, name) for name in CALLS[:2])
    return tat, allow

"""The weight of a call in its key's rate limit, added by the write that ends the call.

`rate.add_weight` bounds the bucket, and an update cannot compute a minimum. So up to three updates
are tried, in this order: the first adds the whole weight, if the result is within the bound; the
second moves the bucket to the bound; the third leaves the bucket as it is. Each of them also moves
the credits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from blur.accounts import rate
from blur.accounts.dynamo.items import CALLS
from blur.accounts.dynamo.values import Expressions

if TYPE_CHECKING:
    from blur.accounts.model import Instant, Weight

Addition = Callable[[Expressions], None]
"""Adds one of the ways to move the bucket to an update."""


def additions(key_digest: str, weight: Weight | None, now_us: Instant) -> Iterator[Addition]:
    """Yield what to add to an update, until one of them meets its conditions."""
    if weight:
        limit = weight.limit
        bound_us = now_us + rate.horizon_us(limit)
        shift_us = min(weight.requests * rate.interval_us(limit), rate.horizon_us(limit))

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
    """Leave the bucket as it is."""


def _bucket(update: Expressions, key_digest: str, weight: Weight) -> tuple[str, str]:
    """Return the paths of TAT and allow, where the key still has the limit of the weight."""
    for name, value in (("m", weight.limit.per_minute), ("b", weight.limit.burst)):
        update.conditions.append(f"{update.path('keys', key_digest, name)} = {update.value(value)}")
    tat, allow = (update.path("keys", key_digest, name) for name in CALLS[:2])
    return tat, allow

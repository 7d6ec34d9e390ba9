"""Computes the lines of a bill, and the busiest accounts, from the usage of keys.

The stores add up each key's calls and credits for each month, in `key_usage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from blur.accounts.model import KeyCounts, Usage
from blur.credits import ZERO, Credits

if TYPE_CHECKING:
    from blur.accounts.model import AccountUsage, KeyKind


class BillLine(NamedTuple):
    """The usage of one key, or of calls without a known key, in a month."""

    account: AccountUsage
    prefix: str | None
    """None for calls that an older version counted only for the account."""
    kind: KeyKind | None
    counts: KeyCounts


class UsageDiffersError(Exception):
    """The usage of an account differs from the usage of its keys."""


def bill_lines(account: AccountUsage) -> Iterator[BillLine]:
    """Yield a line for each key, and a line for calls that were counted without their keys.

    The credits of all lines add up to the account's usage; the audit checks this sum.

    Raises:
        UsageDiffersError: the keys have more usage than the account, or credits without a call
            are left.

    """
    for key in account.keys:
        yield BillLine(account, key.prefix, key.kind, key.counts)
    rest = _uncounted(account)
    if rest.calls < 0 or rest.credits < 0 or (rest.credits and not rest.calls):
        message = f"the usage of account {account.account_id} differs from its keys' usage"
        raise UsageDiffersError(message)
    if rest.calls:
        counts = KeyCounts(rest.calls, rest.credits, 0, 0)
        yield BillLine(account, None, None, counts)


class Activity(NamedTuple):
    """An account's calls between two readings of its usage."""

    account: AccountUsage
    """The account's usage at the second of the two readings."""
    counts: KeyCounts


def activities(before: Iterable[AccountUsage], after: Iterable[AccountUsage]) -> list[Activity]:
    """Return the activity of each account with calls, failures or held credits, busiest first.

    `before` and `after` are the first and the second reading of the usage.
    """
    earlier = {account.account_id: _sum(account) for account in before}
    nothing = KeyCounts(0, ZERO, 0, 0)
    found = [
        Activity(account, _difference(_sum(account), earlier.get(account.account_id, nothing)))
        for account in after
    ]
    active = [each for each in found if any(each.counts) or each.account.held]
    return sorted(active, key=_busyness, reverse=True)


def joined_months(
    before: Iterable[AccountUsage], after: Iterable[AccountUsage]
) -> list[AccountUsage]:
    """Return the accounts of `after`; each also has its keys and their counts from `before`.

    If `before` was read in one month and `after` in the next, an account can have calls in each
    month.
    """
    keys = {account.account_id: account.keys for account in before}
    return [replace(each, keys=(*keys.get(each.account_id, ()), *each.keys)) for each in after]


def _busyness(activity: Activity) -> tuple[int, ...]:
    counts = activity.counts
    return (counts.calls + counts.failures, activity.account.held, activity.account.total.calls)


def _uncounted(account: AccountUsage) -> Usage:
    """Return the part of the account's usage that belongs to no key."""
    counted = _sum(account)
    credits_ = Credits(account.total.credits - counted.credits)
    return Usage(account.total.calls - counted.calls, credits_)


def _sum(account: AccountUsage) -> KeyCounts:
    columns = zip(*(key.counts for key in account.keys), strict=True)
    calls, quarters, pixels, failures = map(sum, columns) if account.keys else (0, 0, 0, 0)
    return KeyCounts(calls, Credits(quarters), pixels, failures)


def _difference(after: KeyCounts, before: KeyCounts) -> KeyCounts:
    return KeyCounts(
        after.calls - before.calls,
        Credits(after.credits - before.credits),
        after.pixels - before.pixels,
        after.failures - before.failures,
    )

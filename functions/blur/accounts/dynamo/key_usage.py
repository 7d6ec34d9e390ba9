"""Each key's usage by month: counters in the account's item, written together with the charge.

A counter is the attribute `u<YYMM><12 digits of the key's digest><letter>`, with one of `LETTERS`.
The counters of past months would make every later write more expensive, so a call moves them to the
item `USAGE#<YYYY-MM>`, where their names do not have the prefix `u<YYMM>`. One transaction adds the
counters to that item and removes them from the account's item. A charge that is written later
starts new counters, which are moved in the same way, so the usage of a month is always the sum of
both items.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from blur.accounts.dynamo import ended_keys, schema
from blur.accounts.dynamo.items import account_of, require_account
from blur.accounts.dynamo.table import ConditionFailedError, DynamoTable, Update
from blur.accounts.dynamo.values import Expressions, Item
from blur.accounts.model import (
    SECOND_US,
    AccountUsage,
    Instant,
    KeyCounts,
    KeyUsage,
    Usage,
    usage_month,
)
from blur.credits import ZERO, Credits
from blur.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LETTERS = ("c", "q", "p", "f")
"""Calls, quarters of a credit, pixels, failures: in the order of `KeyCounts`."""
DIGEST_LENGTH = 12
"""12 hexadecimal digits are 48 bits, which is enough to distinguish the keys of one account."""
MOVED_AFTER_US = 3600 * SECOND_US
"""The time from the end of a month until its counters can be moved out of the account's item. By
then, all calls of the month have ended."""
BATCH = 60
"""The maximum number of counters that one transaction moves out of the account's item. The limit is
needed because an expression can have at most 300 operators."""


def add(update: Expressions, key_digest: str, counts: KeyCounts, now_us: Instant) -> None:
    """Make the update add `counts` to the key's counters of this month."""
    prefix = _prefix(usage_month(now_us)) + key_digest[:DIGEST_LENGTH]
    for letter, number in zip(LETTERS, counts, strict=True):
        if number:
            update.adds.append(f"{update.path(prefix + letter)} {update.value(int(number))}")


def move_past_months(table: DynamoTable, account_id: str, item: Item, now_us: Instant) -> Item:
    """Move counters of one past month out of the account's item; return the item without them.

    If the table cannot be reached or a counter has changed, return `item` unchanged; a later call
    moves the counters.
    """
    this_month = usage_month(Instant(now_us - MOVED_AFTER_US))
    months = sorted({name[:5] for name in item if _is_counter(name)})
    if not months or months[0] >= _prefix(this_month):
        return item
    names = [name for name in item if name.startswith(months[0]) and _is_counter(name)]
    counters = {name: item[name] for name in islice(names, BATCH)}
    key = schema.usage_key(account_id, f"20{months[0][1:3]}-{months[0][3:5]}")
    try:
        table.transact(
            Update(key, _additions(counters)),
            Update(schema.account_key(account_id), _removal(counters)),
        )
    except (ConditionFailedError, UnavailableError):
        return item
    return {name: value for name, value in item.items() if name not in counters}


def list_usage(table: DynamoTable, month: str, now_us: Instant) -> Iterator[AccountUsage]:
    """See `AccountStore.list_usage`.

    A call can move the counters of a past month to the month's item at any moment, so one
    transaction reads the account's item and the month's item. The counters of this month are in the
    account's item, which the scan returns.
    """
    condition = Expressions()
    sort = condition.path(schema.SORT_KEY)
    condition.conditions.append(f"{sort} = {condition.value(schema.ACCOUNT)}")
    ids = {item[schema.PARTITION_KEY]: item for item in table.scan(condition)}
    for _, item in sorted(ids.items()):
        account_id = account_of(item).account_id
        current, month_item = item, None
        each = table.with_new_deadline()
        if month < usage_month(now_us):
            current_or_none, month_item = each.get_both(
                schema.account_key(account_id), schema.usage_key(account_id, month)
            )
            current = require_account(current_or_none, account_id)
        yield _account_usage(each, current, month_item or {}, month)


def _account_usage(
    table: DynamoTable, item: Item, month_item: Mapping[str, int], month: str
) -> AccountUsage:
    counts = _counts(item, month_item, month)
    account = account_of(item)
    keys = {key.digest[:DIGEST_LENGTH]: key for key in account.keys}
    if not counts.keys() <= keys.keys():
        everything = ended_keys.with_ended_keys(table, item)
        keys = {key.digest[:DIGEST_LENGTH]: key for key in everything.keys}
    # A key can be missing in a partly restored table. The calls of a missing key then count only
    # for the account, as with SQLite.
    known = sorted(counts.keys() & keys.keys(), key=lambda each: (keys[each].created_us, each))
    return AccountUsage(
        account_id=account.account_id,
        name=account.name,
        balance=account.balance,
        held=account.held,
        total=account.usage.get(month, Usage(0, ZERO)),
        keys=tuple(
            KeyUsage(keys[digest].prefix, keys[digest].kind, counts[digest]) for digest in known
        ),
    )


def _counts(item: Item, month_item: Mapping[str, int], month: str) -> dict[str, KeyCounts]:
    """Return a month's counts by the first digits of the key's digest."""
    prefix = _prefix(month)
    present = {
        name.removeprefix(prefix): item[name]
        for name in item
        if name.startswith(prefix) and _is_counter(name)
    }
    digests = {name[:DIGEST_LENGTH] for name in (*present, *_counters(month_item))}
    return {digest: _counts_of_key(digest, present, month_item) for digest in digests}


def _counts_of_key(digest: str, *sources: Mapping[str, int]) -> KeyCounts:
    calls, quarters, pixels, failures = (
        sum(source.get(digest + letter, 0) for source in sources) for letter in LETTERS
    )
    return KeyCounts(calls, Credits(quarters), pixels, failures)


def _counters(month_item: Mapping[str, int]) -> list[str]:
    """Return the names of the counters in the item of a past month."""
    return [name for name in month_item if len(name) == DIGEST_LENGTH + 1]


def _additions(counters: Mapping[str, int]) -> Expressions:
    update = Expressions()
    for name, number in counters.items():
        update.adds.append(f"{update.path(name[5:])} {update.value(number)}")
    return update


def _removal(counters: Mapping[str, int]) -> Expressions:
    update = Expressions()
    for name, number in counters.items():
        path = update.path(name)
        update.conditions.append(f"{path} = {update.value(number)}")
        update.removes.append(path)
    return update


def _prefix(month: str) -> str:
    """Return the prefix of a month's counters."""
    return f"u{month[2:4]}{month[5:7]}"


def _is_counter(name: str) -> bool:
    """Return whether an attribute is a counter; `used`, which also starts with `u`, is not."""
    return len(name) == 5 + DIGEST_LENGTH + 1 and name[0] == "u" and name[1:5].isdecimal()

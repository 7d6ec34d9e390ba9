"""Keys that have ended, as items of their own.

Every write pays for the whole item of an account, so it has only keys that can still be used.
A revoked or expired key is first copied to its own item and then removed from the account's, in
two writes: between them, or if the second one fails, it is in both, and the account's item counts.
Calls do this in passing, also for the items of an earlier version that never removed a key.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from blur.accounts.dynamo import schema
from blur.accounts.dynamo.items import (
    account_of,
    bump_version,
    ended_key_item,
    ended_key_of,
    key_of,
)
from blur.accounts.dynamo.table import ConditionFailedError, DynamoTable
from blur.accounts.dynamo.values import Expressions, Item
from blur.errors import UnavailableError
from blur.skew import CLOCK_SKEW_US

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blur.accounts.model import Account, Instant, KeyRecord

BATCH = 10
"""Keys that one call removes: each is a write, and somebody waits for the call."""


def remove(table: DynamoTable, account_id: str, item: Item, now_us: Instant) -> Item:
    """Remove some ended keys from the account's item and return it.

    A key is left for `CLOCK_SKEW_US` after its expiry, for a server whose clock is slow. Where the
    table cannot be reached or the keys have changed meanwhile, a later call does it.
    """
    ended = list(islice(_ended(item, account_id, now_us), BATCH))
    if not ended:
        return item
    try:
        for key in ended:
            _copy(table, key)
        return table.update(schema.account_key(account_id), _removal(item, ended))
    except ConditionFailedError as failed:
        return failed.item or item
    except UnavailableError:
        return item


def exists(table: DynamoTable, account_id: str, key_digest: str) -> bool:
    """Tell whether the account had this key and it has ended."""
    return table.get(schema.ended_key_key(account_id, key_digest)) is not None


def with_ended_keys(table: DynamoTable, item: Item) -> Account:
    """Read an account's item, and add the keys that are no longer in it."""
    account = account_of(item)
    condition = Expressions()
    partition = condition.path(schema.PARTITION_KEY)
    sort = condition.path(schema.SORT_KEY)
    condition.conditions += [
        f"{partition} = {condition.value(schema.partition(account.account_id))}",
        f"begins_with({sort}, {condition.value(schema.ENDED_KEY)})",
    ]
    ended = (ended_key_of(found, account.account_id) for found in table.query(condition))
    keys = {key.digest: key for key in (*ended, *account.keys)}
    ordered = sorted(keys.values(), key=lambda key: (key.created_us, key.digest))
    return replace(account, keys=tuple(ordered))


def _ended(item: Item, account_id: str, now_us: Instant) -> Iterator[KeyRecord]:
    for digest in item["keys"]:
        key = key_of(item, account_id, digest)
        expired = key.expires_us is not None and key.expires_us <= now_us - CLOCK_SKEW_US
        if key.revoked or expired:
            yield key


def _copy(table: DynamoTable, key: KeyRecord) -> None:
    absent = Expressions()
    absent.conditions.append(f"attribute_not_exists({absent.path(schema.PARTITION_KEY)})")
    with suppress(ConditionFailedError):  # copied already
        table.put(ended_key_item(key), absent)


def _removal(item: Item, ended: list[KeyRecord]) -> Expressions:
    update = Expressions()
    bump_version(update, item)
    update.removes += [update.path("keys", key.digest) for key in ended]
    return update

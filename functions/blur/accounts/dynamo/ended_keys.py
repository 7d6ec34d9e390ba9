"""Stores ended keys, which are revoked or expired, as separate items.

The cost of a write depends on the size of the account's whole item, so this item has only keys that
can still be used. A revoked or expired key is copied to its own item, then removed from the
account's item: two writes. Between the two writes, or if the second write fails, the key is in both
items; then the key in the account's item is used. Earlier versions left ended keys in the account's
item; calls move these keys, too.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from blur.accounts.dynamo import schema
from blur.accounts.dynamo.items import NEVER, account_of, bump_version, key_of
from blur.accounts.dynamo.table import ConditionFailedError, DynamoTable
from blur.accounts.dynamo.values import Expressions, Item
from blur.errors import UnavailableError
from blur.skew import CLOCK_SKEW_US

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blur.accounts.model import Account, Instant, KeyRecord

BATCH = 10
"""The maximum number of keys that one call moves. The number is small, because each key needs a
write, and a client waits for the call."""


def remove(table: DynamoTable, account_id: str, item: Item, now_us: Instant) -> Item:
    """Move up to `BATCH` revoked or expired keys out of the account's item; return the new item.

    An expired key stays in the account's item for `CLOCK_SKEW_US` after its expiry, for a server
    whose clock is slow. If the table cannot be reached or the keys have changed, a later call moves
    the revoked and expired keys.
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
    """Return whether the account has a revoked or expired key with this digest."""
    return table.get(schema.ended_key_key(account_id, key_digest)) is not None


def with_ended_keys(table: DynamoTable, item: Item) -> Account:
    """Return the account in an item, with its revoked and expired keys from separate items."""
    account = account_of(item)
    condition = Expressions()
    partition = condition.path(schema.PARTITION_KEY)
    sort = condition.path(schema.SORT_KEY)
    condition.conditions += [
        f"{partition} = {condition.value(schema.partition(account.account_id))}",
        f"begins_with({sort}, {condition.value(schema.ENDED_KEY)})",
    ]
    ended = (_key_of(each, account.account_id) for each in table.query(condition))
    keys = {key.digest: key for key in (*ended, *account.keys)}
    ordered = sorted(keys.values(), key=lambda key: (key.created_us, key.digest))
    return replace(account, keys=tuple(ordered))


def _key_item(key: KeyRecord) -> Item:
    """Return the item of a revoked or expired key."""
    return {
        **schema.ended_key_key(key.account_id, key.digest),
        "k": key.kind,
        "p": key.prefix,
        "c": key.created_us,
        "x": NEVER if key.expires_us is None else key.expires_us,
        "r": key.revoked,
        "m": key.limit.per_minute,
        "b": key.limit.burst,
    }


def _key_of(item: Item, account_id: str) -> KeyRecord:
    """Return the key that is stored in the item of a revoked or expired key."""
    digest = item[schema.SORT_KEY].removeprefix(schema.ENDED_KEY)
    return key_of({"keys": {digest: item}}, account_id, digest)


def _ended(item: Item, account_id: str, now_us: Instant) -> Iterator[KeyRecord]:
    for digest in item["keys"]:
        key = key_of(item, account_id, digest)
        expired = key.expires_us is not None and key.expires_us <= now_us - CLOCK_SKEW_US
        if key.revoked or expired:
            yield key


def _copy(table: DynamoTable, key: KeyRecord) -> None:
    absent = Expressions()
    absent.conditions.append(f"attribute_not_exists({absent.path(schema.PARTITION_KEY)})")
    with suppress(ConditionFailedError):  # a copy of the key already exists
        table.put(_key_item(key), absent)


def _removal(item: Item, ended: list[KeyRecord]) -> Expressions:
    update = Expressions()
    bump_version(update, item)
    update.removes += [update.path("keys", key.digest) for key in ended]
    return update

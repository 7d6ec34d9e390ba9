"""Converts items of the table to the values of `model` and back.

The account's item has all values that are needed to accept a call, so one conditional write is
enough. A write costs one unit for each kilobyte of the whole item, rounded up, so the names of
frequent attributes have only one letter:

| attribute | meaning |
|---|---|
| `name`, `created` | the fields of `Account`; `created` is in microseconds |
| `balance`, `granted`, `used` | the fields of `Account`, as numbers of credits (see `amounts`) |
| `calls<YYYY-MM>`, `credits<YYYY-MM>` | the account's usage in this month |
| `u<YYMM><digits><letter>` | a counter of one key in the month `YYMM` (see `key_usage`) |
| `v` | the version, which each ledger entry and each added or moved key raises; absent at first |
| `holds.<hold id>` | the hold of a running call; in it, `c` is the price and `x` the expiry |
| `ended<slot>` | the tombstones of holds settled or refunded in the five seconds of this slot |
| `keys.<digest>` | a key, with the attributes below |
| `k`, `p`, `c` | the key's kind (`live` or `test`), its prefix, and the time of its creation |
| `x` | the expiry; a key that does not expire has `NEVER`, so one comparison is enough |
| `r` | true if the key is revoked, otherwise absent |
| `m`, `b` | the limit: the requests per minute, and the burst |
| `i`, `s` | the results of `rate.interval_us` and `rate.slack_us` for the limit |
| `t`, `a`, `l` | the key's `rate.Bucket` for calls; `l` is absent before the first call |
| `T`, `A`, `L` | the key's `rate.Bucket` for requests that read the account |

Instants and durations are in microseconds. The account's held credits are the sum of `c` over all
holds.

The item of a revoked or expired key has the attributes `k`, `p`, `c`, `x`, `r`, `m` and `b`. The
item of an idempotency record has the fields of `IdempotencyRecord`. The item of a ledger entry has
the fields of `LedgerEntry`, and `v`, the version that the entry gave the account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.account_status import AccountStatus, RateLimit, RateLimitStatus
from blur.accounts import rate
from blur.accounts.admin_errors import UnknownAccountError
from blur.accounts.dynamo import schema
from blur.accounts.dynamo.amounts import stored
from blur.accounts.model import (
    Account,
    EntryKind,
    Instant,
    KeyKind,
    KeyRecord,
    LedgerEntry,
    Usage,
)
from blur.accounts.ports import accounts_unreachable
from blur.credits import Credits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blur.accounts.dynamo.values import Expressions, Item

NEVER = 10**18
"""The expiry of a key that does not expire: the year 33658."""

BucketNames = tuple[str, str, str]
CALLS: BucketNames = ("t", "a", "l")
ACCOUNT_REQUESTS: BucketNames = ("T", "A", "L")
"""The attributes of a bucket's `tat_us`, `allow_us` and `last_us`."""

VERSION = "v"


def new_account(account_id: str, name: str, now_us: Instant) -> Item:
    """Return the item of an empty account."""
    empty = {"balance": 0, "granted": 0, "used": 0, "holds": {}, "keys": {}}
    return {**schema.account_key(account_id), "name": name, "created": now_us, **empty}


def account_of(item: Item) -> Account:
    """Read an account's item.

    Raises:
        UnavailableError: an attribute is missing or has another type.

    """
    account_id = item[schema.PARTITION_KEY].removeprefix(schema.partition(""))
    try:
        return _read_account(item, account_id)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # To repair the item, an operator needs the id of the account.
        message = f"account {account_id} has an invalid item: {error!r}"
        raise accounts_unreachable() from ValueError(message)


def _read_account(item: Item, account_id: str) -> Account:
    keys = [key_of(item, account_id, digest) for digest in item["keys"]]
    return Account(
        account_id=account_id,
        name=item["name"],
        created_us=item["created"],
        balance=item["balance"],
        held=Credits(sum(hold["c"] for hold in item["holds"].values())),
        granted=item["granted"],
        used=item["used"],
        usage=dict(_usage(item)),
        keys=tuple(sorted(keys, key=lambda key: (key.created_us, key.digest))),
    )


def require_account(item: Item | None, account_id: str) -> Item:
    """Return the account's item.

    Raises:
        UnknownAccountError: the account does not exist.

    """
    if item is None:
        raise UnknownAccountError.no_account(account_id)
    return item


def version_of(item: Item) -> int:
    """Return the version of an account, or the version that a ledger entry gave the account."""
    return int(item.get(VERSION, 0))


def bump_version(update: Expressions, item: Item) -> None:
    """Make the update increase the account's version, and fail if `item` has another version."""
    path, version = update.path(VERSION), version_of(item)
    same = f"{path} = {update.value(version)}" if version else f"attribute_not_exists({path})"
    update.conditions.append(same)
    update.sets.append(f"{path} = {update.value(version + 1)}")


def set_version(update: Expressions, version: int) -> None:
    """Make the update set the account's version, if the current version is lower."""
    path, new = update.path(VERSION), update.value(version)
    update.conditions.append(f"(attribute_not_exists({path}) OR {path} < {new})")
    update.sets.append(f"{path} = {new}")


def key_of(item: Item, account_id: str, digest: str) -> KeyRecord:
    """Return one of the keys that are stored in an account's item.

    Raises:
        KeyError: the item does not have the key.

    """
    key = item["keys"][digest]
    return KeyRecord(
        digest=digest,
        account_id=account_id,
        kind=KeyKind(key["k"]),
        prefix=key["p"],
        created_us=key["c"],
        expires_us=None if key["x"] == NEVER else key["x"],
        revoked=key.get("r", False),
        limit=_limit(key),
    )


def key_item(key: KeyRecord) -> Item:
    """Return the attributes of a new key, whose buckets have not counted any request yet."""
    revoked = {"r": True} if key.revoked else {}
    return {
        "k": key.kind,
        "p": key.prefix,
        "c": key.created_us,
        "x": NEVER if key.expires_us is None else key.expires_us,
        **limit_item(key.limit),
        **revoked,
    }


def limit_item(limit: RateLimit) -> Item:
    """Return the attributes for a key's rate limit; `t`, `a`, `T` and `A` of its buckets are 0."""
    buckets = dict.fromkeys((*CALLS[:2], *ACCOUNT_REQUESTS[:2]), 0)
    interval, slack = rate.interval_us(limit), rate.slack_us(limit)
    return {"m": limit.per_minute, "b": limit.burst, "i": interval, "s": slack, **buckets}


def bucket_of(item: Item, digest: str, names: BucketNames) -> rate.Bucket:
    """Read the rate-limit bucket of a key; the bucket is in the attributes `names` of the key."""
    key = item["keys"][digest]
    tat, allow, last = names
    return rate.Bucket(key[tat], key[allow], key.get(last, 0))


def rate_limit_status_of(
    item: Item, digest: str, names: BucketNames, now_us: Instant
) -> RateLimitStatus:
    """Return a key's rate-limit status, from its bucket with the attributes `names`.

    If a key is revoked or expires during the call, it is removed from the item, and its status has
    no remaining requests.
    """
    if digest not in item["keys"]:
        return RateLimitStatus(RateLimit(1, 1), 0, 0)
    return rate.rate_limit_status(
        bucket_of(item, digest, names), _limit(item["keys"][digest]), now_us
    )


def status_of(item: Item, digest: str, charged: Credits, now_us: Instant) -> AccountStatus:
    """Return the status of the account and the key after a call."""
    limit_status = rate_limit_status_of(item, digest, CALLS, now_us)
    return AccountStatus(charged, item["balance"], limit_status)


def entry_item(entry: LedgerEntry, version: int) -> Item:
    """Return a ledger entry's item; `version` is the account's version after the entry."""
    return {
        **schema.entry_key(entry.account_id, entry.entry_id),
        "entry_id": entry.entry_id,
        "kind": entry.kind,
        "credits": stored(entry.credits),
        VERSION: version,
        "at_us": entry.at_us,
        "note": entry.note,
    }


def entry_of(item: Item, account_id: str) -> LedgerEntry:
    """Read a ledger entry's item."""
    return LedgerEntry(
        entry_id=item["entry_id"],
        account_id=account_id,
        kind=EntryKind(item["kind"]),
        credits=item["credits"],
        at_us=item["at_us"],
        note=item["note"],
    )


def _limit(key: Item) -> RateLimit:
    return RateLimit(key["m"], key["b"])


def _usage(item: Item) -> Iterator[tuple[str, Usage]]:
    for month in sorted(name.removeprefix("calls") for name in item if name.startswith("calls")):
        yield month, Usage(item[f"calls{month}"], item[f"credits{month}"])

"""Items of the table to the ledger's nouns and back, and nothing else.

The account's item carries all that a call is judged by, so that one conditional write can
judge it. Every write pays for the whole item in units of 1 KB, so that names which repeat
are one letter long:

| attribute | what it is |
|---|---|
| `name`, `created` | as in `Account`; `created` in microseconds |
| `balance`, `granted`, `used` | credits, as in `Account` |
| `calls<YYYY-MM>`, `credits<YYYY-MM>` | the usage of a month |
| `v` | version: rises with each ledger entry and each change of the keys; absent at first |
| `holds.<hold id>` | a call under way: `c` its credits, `x` its expiry |
| `ended<slot>` | the calls that ended in these five seconds, as a set of marks |
| `keys.<digest>` | a key, as follows |
| `k`, `p`, `c` | kind (`live` or `test`), prefix, creation |
| `x` | expiry; `NEVER` for none, so that its condition is one comparison |
| `r` | there, and true, if the key is revoked |
| `m`, `b` | the limit: requests a minute, burst |
| `i`, `s` | the limit as `rate.interval_us` and `rate.slack_us` have it |
| `t`, `a`, `l` | the bucket of its calls: TAT, allow, last request (absent before the first) |
| `T`, `A`, `L` | the bucket of its inquiries |

Instants and durations are microseconds. What is held is the sum over `holds`.

The item of a key that has ended has the letters of a key above, without buckets. A record's item
has the names of `IdempotencyRecord`, and an entry's those of `LedgerEntry` and `v`, the version
that it gave the account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.account_status import AccountStatus, RateLimit, RateLimitStatus
from blur.accounts import rate
from blur.accounts.dynamo import schema
from blur.accounts.model import (
    SECOND_US,
    Account,
    EntryKind,
    IdempotencyRecord,
    Instant,
    KeyKind,
    KeyRecord,
    LedgerEntry,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blur.accounts.dynamo.values import Expressions, Item

NEVER = 10**18
"""The expiry of a key that does not expire: the year 33658."""

BucketNames = tuple[str, str, str]
CALLS: BucketNames = ("t", "a", "l")
INQUIRIES: BucketNames = ("T", "A", "L")
"""Names of a bucket's TAT, allow and last request."""

VERSION = "v"

TTL_MARGIN_S = 24 * 3600
"""How long a record stays readable after it stopped counting."""


def new_account(account_id: str, name: str, now_us: Instant) -> Item:
    """Return the item of an empty account."""
    books = {"balance": 0, "granted": 0, "used": 0, "holds": {}, "keys": {}}
    return {**schema.account_key(account_id), "name": name, "created": now_us, **books}


def account_of(item: Item) -> Account:
    """Read an account's item."""
    account_id = item[schema.PARTITION_KEY].removeprefix(schema.partition(""))
    keys = [key_of(item, account_id, digest) for digest in item["keys"]]
    return Account(
        account_id=account_id,
        name=item["name"],
        created_us=item["created"],
        balance=item["balance"],
        held=sum(hold["c"] for hold in item["holds"].values()),
        granted=item["granted"],
        used=item["used"],
        usage=dict(_usage(item)),
        keys=tuple(sorted(keys, key=lambda key: (key.created_us, key.digest))),
    )


def version_of(item: Item) -> int:
    """Return the version of an account's item, or the one that an entry's item gave it."""
    return int(item.get(VERSION, 0))


def bump_version(update: Expressions, item: Item) -> None:
    """Give the account the next version, on condition that it still has the one of this item."""
    path, seen = update.path(VERSION), version_of(item)
    present = f"{path} = {update.value(seen)}" if seen else f"attribute_not_exists({path})"
    update.conditions.append(present)
    update.sets.append(f"{path} = {update.value(seen + 1)}")


def set_version(update: Expressions, version: int) -> None:
    """Give the account a version, on condition that it is higher than the present one."""
    path, new = update.path(VERSION), update.value(version)
    update.conditions.append(f"(attribute_not_exists({path}) OR {path} < {new})")
    update.sets.append(f"{path} = {new}")


def key_of(item: Item, account_id: str, digest: str) -> KeyRecord:
    """Read one of the keys in an account's item.

    Raises:
        KeyError: the account has no such key.

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
    """Return the map of a key that was never used."""
    revoked = {"r": True} if key.revoked else {}
    return {
        "k": key.kind,
        "p": key.prefix,
        "c": key.created_us,
        "x": NEVER if key.expires_us is None else key.expires_us,
        **limit_item(key.limit),
        **revoked,
    }


def ended_key_item(key: KeyRecord) -> Item:
    """Return the item of a key that has ended."""
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


def ended_key_of(item: Item, account_id: str) -> KeyRecord:
    """Read the item of a key that has ended."""
    digest = item[schema.SORT_KEY].removeprefix(schema.ENDED_KEY)
    return key_of({"keys": {digest: item}}, account_id, digest)


def limit_item(limit: RateLimit) -> Item:
    """Return what a key's map has of its limit, with both buckets rested."""
    buckets = dict.fromkeys((*CALLS[:2], *INQUIRIES[:2]), 0)
    interval, slack = rate.interval_us(limit), rate.slack_us(limit)
    return {"m": limit.per_minute, "b": limit.burst, "i": interval, "s": slack, **buckets}


def bucket_of(item: Item, digest: str, names: BucketNames) -> rate.Bucket:
    """Read one of a key's buckets."""
    key = item["keys"][digest]
    tat, allow, last = names
    return rate.Bucket(key[tat], key[allow], key.get(last, 0))


def rate_of(item: Item, digest: str, names: BucketNames, now_us: Instant) -> RateLimitStatus:
    """Return where a key stands with one of its buckets.

    A call can outlive its key, which is then no longer in the item and has no requests left.
    """
    if digest not in item["keys"]:
        return RateLimitStatus(RateLimit(1, 1), 0, 0)
    return rate.rate_limit_status(
        bucket_of(item, digest, names), _limit(item["keys"][digest]), now_us
    )


def standing_of(item: Item, digest: str, charged: int, now_us: Instant) -> AccountStatus:
    """Tell where a key and its account stand."""
    return AccountStatus(charged, item["balance"], rate_of(item, digest, CALLS, now_us))


def entry_item(entry: LedgerEntry, version: int) -> Item:
    """Return the item of a ledger entry that gives its account this version."""
    key = schema.entry_key(entry.account_id, entry.entry_id)
    moved = {"kind": entry.kind, "credits": entry.credits, VERSION: version}
    return {**key, "entry_id": entry.entry_id, **moved, "at_us": entry.at_us, "note": entry.note}


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


def record_item(record: IdempotencyRecord) -> Item:
    """Return the item of an idempotency record."""
    return {
        **schema.record_key(record.account_id, record.scope),
        "fingerprint": record.fingerprint,
        "hold_id": record.hold_id,
        "done": record.done,
        "lease_until_us": record.lease_until_us,
        "forget_us": record.forget_us,
        schema.TTL_ATTRIBUTE: record.forget_us // SECOND_US + TTL_MARGIN_S,
    }


def record_of(item: Item, account_id: str, scope: str) -> IdempotencyRecord:
    """Read an idempotency record's item."""
    return IdempotencyRecord(
        account_id=account_id,
        scope=scope,
        fingerprint=item["fingerprint"],
        hold_id=item["hold_id"],
        done=item["done"],
        lease_until_us=item["lease_until_us"],
        forget_us=item["forget_us"],
    )


def _limit(key: Item) -> RateLimit:
    return RateLimit(key["m"], key["b"])


def _usage(item: Item) -> Iterator[tuple[str, Usage]]:
    for month in sorted(name.removeprefix("calls") for name in item if name.startswith("calls")):
        yield month, Usage(item[f"calls{month}"], item[f"credits{month}"])

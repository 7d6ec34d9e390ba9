"""Holds in an account's item; `hold_states` has their states and events.

Each event is one conditional write that moves the credits and removes the hold, so the condition of
a second or late copy of the write fails. When a call settles or refunds its hold, a tombstone is
added to the set `ended<slot>`; each slot is five seconds. The tombstone rejects a late copy of the
write that reserved the credits. A set is deleted when no late copy can arrive any more: the module
`client` repeats a request for some seconds at most, and `DEDUP_WINDOW_US` is much longer. An even
later copy would create a hold that nothing settles, so the hold expires. The hold for a photo of a
job has no tombstone. A late copy of its reservation creates a hold that expires without a charge,
because the photo's row in the table allows only one charge.

A tombstone is 8 bytes of the hold id's SHA-256. An item has space for 10,000 of them. With 10,000
tombstones, the probability that a new hold has the tombstone of another hold is below 1 in 10**15.
"""

from __future__ import annotations

from hashlib import sha256
from itertools import islice

from blur.accounts.dynamo import ended_keys, key_usage, schema
from blur.accounts.dynamo.amounts import stored, stored_hold
from blur.accounts.dynamo.items import require_account
from blur.accounts.dynamo.rate_weights import additions
from blur.accounts.dynamo.table import ConditionFailedError, DynamoTable
from blur.accounts.dynamo.values import Expressions, Item
from blur.accounts.hold_states import (
    PRICE_LOCATION,
    TRANSITIONS,
    AccountField,
    HoldEvent,
    HoldState,
    event_at,
    released_until_us,
)
from blur.accounts.model import SECOND_US, Hold, Instant, KeyCounts, Weight, usage_month
from blur.credits import ZERO, Credits

SLOT_US = 5 * SECOND_US
DEDUP_WINDOW_US = 15 * SECOND_US
"""All copies of a request to DynamoDB arrive within this time after the first copy was sent."""
TOMBSTONES_PREFIX = "ended"
REFUNDED_SUFFIX = b"r"
"""If a hold ended without a charge, the set that contains its tombstone has a second element for
the hold: the tombstone followed by this suffix."""

BATCH = 50
"""The maximum number of holds, and of sets of tombstones, that one write removes: an expression has
at most 300 operators."""

TOMBSTONE_BYTES = 8
COMPACT_AT_BYTES = 256
"""If the old tombstones have at least this size, a separate write deletes them."""


def create(update: Expressions, hold: Hold, now_us: Instant) -> None:
    """Make the update move the price from the balance to the hold.

    The update fails if the hold is not new, or if the balance is below the price.
    """
    path, balance = update.path("holds", hold.hold_id), update.path("balance")
    tombstone, price = update.value(_tombstone(hold.hold_id)), update.value(stored(hold.price))
    update.conditions += [f"attribute_not_exists({path})", f"{balance} >= {price}"]
    for slot in range(now_us // SLOT_US, (now_us + DEDUP_WINDOW_US) // SLOT_US + 1):
        update.conditions.append(
            f"NOT contains({update.path(f'{TOMBSTONES_PREFIX}{slot}')}, {tombstone})"
        )
    update.sets += [
        f"{path} = {update.value(stored_hold({'c': hold.price, 'x': hold.expires_us}))}",
        f"{balance} = {balance} - {price}",
    ]


def extend(update: Expressions, hold: Hold, _now_us: Instant) -> None:
    """Make the update extend the stored hold, if the stored hold expires before `hold` does."""
    expiry, later = update.path("holds", hold.hold_id, "x"), update.value(hold.expires_us)
    update.conditions.append(f"{expiry} < {later}")
    update.sets.append(f"{expiry} = {later}")


def state_of(item: Item, hold_id: str) -> HoldState | None:
    """Return the hold's state, or None if the item has neither the hold nor its tombstone."""
    if hold_id in item["holds"]:
        return HoldState.HELD
    tombstones = frozenset().union(
        *(item[name] for name in item if name.startswith(TOMBSTONES_PREFIX))
    )
    if _tombstone(hold_id) not in tombstones:
        return None
    is_refunded = _tombstone(hold_id) + REFUNDED_SUFFIX in tombstones
    return HoldState.REFUNDED if is_refunded else HoldState.SETTLED


def settle(
    table: DynamoTable, hold: Hold, now_us: Instant, weight: Weight | None, pixels: int
) -> tuple[HoldState | None, Item]:
    """Charge the hold unless it has expired; return its state, if known, and the account's item.

    Raises:
        UnknownAccountError: the account does not exist.

    """
    for add_weight in additions(hold.key_digest, weight, table.limiter.us(now_us)):
        update = settlement(hold, now_us, pixels)
        add_weight(update)
        try:
            item = table.update(schema.account_key(hold.account_id), update)
        except ConditionFailedError as failed:
            item = require_account(failed.item, hold.account_id)
        else:
            return TRANSITIONS[HoldState.HELD, HoldEvent.SETTLE], item
        held = item["holds"].get(hold.hold_id)
        if held is None:
            return state_of(item, hold.hold_id), item
        if event_at(HoldEvent.SETTLE, held["x"], now_us) is HoldEvent.EXPIRE:
            break
    return TRANSITIONS[HoldState.HELD, HoldEvent.EXPIRE], _release_late(table, hold, held)


def refund(
    table: DynamoTable, hold: Hold, now_us: Instant, weight: Weight | None, *, failed: bool
) -> Item:
    """Move the price of a hold in the state `HELD` to the balance; return the account's item.

    Raises:
        UnknownAccountError: the account does not exist.

    """
    for add_weight in additions(hold.key_digest, weight, table.limiter.us(now_us)):
        update = refunding(hold, now_us, failed=failed)
        add_weight(update)
        try:
            return table.update(schema.account_key(hold.account_id), update)
        except ConditionFailedError as rejected:
            item = require_account(rejected.item, hold.account_id)
        if hold.hold_id not in item["holds"]:
            break
    return item


def settlement(
    hold: Hold, now_us: Instant, pixels: int, *, leaves_tombstone: bool = True
) -> Expressions:
    """Return the write that charges a hold, if it is in the state `HELD` and has not expired."""
    update = _ending(hold, HoldEvent.SETTLE, now_us, leaves_tombstone=leaves_tombstone)
    key_usage.add(update, hold.key_digest, KeyCounts(1, hold.price, pixels, 0), now_us)
    update.conditions.append(f"{update.path('holds', hold.hold_id, 'x')} > {update.value(now_us)}")
    return update


def refunding(
    hold: Hold, now_us: Instant, *, failed: bool, leaves_tombstone: bool = True
) -> Expressions:
    """Return the write that refunds a hold, if it is in the state `HELD`."""
    update = _ending(hold, HoldEvent.REFUND, now_us, leaves_tombstone=leaves_tombstone)
    if failed:
        key_usage.add(update, hold.key_digest, KeyCounts(0, ZERO, 0, 1), now_us)
    return update


def release_expired(table: DynamoTable, account_id: str, item: Item, now_us: Instant) -> Item:
    """Release expired holds, delete old tombstones, and return the new account item.

    Revoked and expired keys and the usage of past months are moved to their own items.
    """
    while update := _compaction(item, now_us):
        try:
            item = table.update(schema.account_key(account_id), update)
        except ConditionFailedError as failed:
            item = require_account(failed.item, account_id)
    item = ended_keys.remove(table, account_id, item, now_us)
    return key_usage.move_past_months(table, account_id, item, now_us)


def _compaction(item: Item, now_us: Instant) -> Expressions | None:
    """Return the write that removes expired holds and old tombstones; None if it is not needed."""
    until_us = released_until_us(now_us)
    expired = {name: held for name, held in item["holds"].items() if held["x"] <= until_us}
    slot = (until_us - DEDUP_WINDOW_US) // SLOT_US
    old = [name for name in item if name.startswith(TOMBSTONES_PREFIX) and _slot_of(name) < slot]
    old_bytes = sum(len(name) + TOMBSTONE_BYTES * len(item[name]) for name in old)
    if not expired and old_bytes < COMPACT_AT_BYTES:
        return None
    update = release(dict(islice(expired.items(), BATCH)))
    update.removes += [update.path(name) for name in old[:BATCH]]
    return update


def release(holds: Item) -> Expressions:
    """Return the write that releases these expired holds; the write fails if a hold has changed."""
    update = Expressions()
    update.conditions.append(f"attribute_exists({update.path('balance')})")
    _add_to_balance(update, Credits(sum(held["c"] for held in holds.values())))
    for hold_id, held in holds.items():
        path = update.path("holds", hold_id)
        update.conditions.append(f"{path} = {update.value(stored_hold(held))}")
        update.removes.append(path)
    return update


def _release_late(table: DynamoTable, hold: Hold, held: Item) -> Item:
    """Release an expired hold that a call has tried to settle too late."""
    try:
        return table.update(schema.account_key(hold.account_id), release({hold.hold_id: held}))
    except ConditionFailedError as failed:
        return require_account(failed.item, hold.account_id)


def _ending(
    hold: Hold, event: HoldEvent, now_us: Instant, *, leaves_tombstone: bool
) -> Expressions:
    """Return the write that applies the event to a hold in the state `HELD`."""
    update = Expressions()
    tombstone = _tombstone(hold.hold_id)
    if PRICE_LOCATION[TRANSITIONS[HoldState.HELD, event]] is AccountField.USED:
        _add_to_usage(update, hold.price, now_us)
        elements = frozenset({tombstone})
    else:
        _add_to_balance(update, hold.price)
        elements = frozenset({tombstone, tombstone + REFUNDED_SUFFIX})
    path = update.path("holds", hold.hold_id)
    # The condition on the price ensures that exactly the reserved credits are moved.
    update.conditions.append(f"{path}.{update.path('c')} = {update.value(stored(hold.price))}")
    update.removes.append(path)
    if leaves_tombstone:
        slot = update.path(f"{TOMBSTONES_PREFIX}{now_us // SLOT_US}")
        update.adds.append(f"{slot} {update.value(elements)}")
    return update


def _add_to_balance(update: Expressions, amount: Credits) -> None:
    balance = update.path("balance")
    update.sets.append(f"{balance} = {balance} + {update.value(stored(amount))}")


def _add_to_usage(update: Expressions, price: Credits, now_us: Instant) -> None:
    month, used, credits_ = usage_month(now_us), update.path("used"), update.value(stored(price))
    update.sets.append(f"{used} = {used} + {credits_}")
    update.adds += [
        f"{update.path(f'calls{month}')} {update.value(1)}",
        f"{update.path(f'credits{month}')} {credits_}",
    ]


def _tombstone(hold_id: str) -> bytes:
    return sha256(hold_id.encode()).digest()[:TOMBSTONE_BYTES]


def _slot_of(name: str) -> int:
    return int(name.removeprefix(TOMBSTONES_PREFIX))

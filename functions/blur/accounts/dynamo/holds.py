"""Holds on an account's item: how they are taken, end, and come home.

Each step is one conditional write that moves credits and the hold together, so that a write
delivered twice, or late, finds its condition gone. When a hold ends, its mark joins the set
`ended<slot>`, named by the five seconds in which it ended, and a late copy of its reserve is
refused by the mark. Marks are dropped by the set, once every copy has arrived: a request is
sent for at most two seconds (see `dynamo`), and COPY_US leaves much more for its way. A copy
that came even later would take a hold that nobody settles, and that expires like any other.

A mark is 8 bytes of the hold id's SHA-256: among the 10,000 marks that an item has room for,
a new hold meets a foreign one with a probability below 1 in 10**15.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice

from blur.accounts.dynamo import ended_keys, schema
from blur.accounts.dynamo.table import ConditionFailedError, DynamoTable
from blur.accounts.dynamo.values import Expressions, Item
from blur.accounts.dynamo.weights import additions
from blur.accounts.model import SECOND_US, Claim, Hold, Instant, Weight
from blur.accounts.ports import UnknownAccountError
from blur.skew import CLOCK_SKEW_US

SLOT_US = 5 * SECOND_US
COPY_US = 15 * SECOND_US
"""No copy of a request arrives later than this after the request was first sent."""
ENDED = "ended"
REFUNDED = b"r"
"""Follows the mark of a hold that was not charged, in a second element of the set."""

BATCH = 50
"""Holds, and sets of marks, that one write ends: an expression may have 300 operators."""

MARK_BYTES = 8
FORGET_AT_BYTES = 256
"""What the marks of past slots may take of an item before a write is spent on dropping them."""


def take(update: Expressions, claim: Claim, now_us: Instant) -> None:
    """Move the price from the balance to a hold, unless the hold is there or has ended."""
    expires_us = now_us + claim.hold_ttl_us
    hold, balance = update.path("holds", claim.hold_id), update.path("balance")
    mark, price = update.value(_mark(claim.hold_id)), update.value(claim.price)
    update.conditions += [f"attribute_not_exists({hold})", f"{balance} >= {price}"]
    for slot in range(now_us // SLOT_US, (now_us + COPY_US) // SLOT_US + 1):
        update.conditions.append(f"NOT contains({update.path(f'{ENDED}{slot}')}, {mark})")
    update.sets += [
        f"{hold} = {update.value({'c': claim.price, 'x': expires_us})}",
        f"{balance} = {balance} - {price}",
    ]


def find(item: Item, claim: Claim, now_us: Instant) -> Hold | None:
    """Return the claim's hold, if it is held or has ended and is remembered."""
    hold = Hold(
        hold_id=claim.hold_id,
        account_id=claim.account_id,
        key_digest=claim.key_digest,
        price=claim.price,
        expires_us=Instant(now_us + claim.hold_ttl_us),
    )
    if held := item["holds"].get(claim.hold_id):
        return replace(hold, price=held["c"], expires_us=held["x"])
    return hold if _mark(claim.hold_id) in _marks(item) else None


def settle(
    table: DynamoTable, hold: Hold, now_us: Instant, weight: Weight | None
) -> tuple[int, Item]:
    """Charge the hold unless it has expired; return what it was charged, now or before.

    Raises:
        UnknownAccountError: there is no such account.

    """
    for add_weight in additions(hold.key_digest, weight, table.limiter.us(now_us)):
        update = _settlement(hold, now_us)
        add_weight(update)
        try:
            return hold.price, table.update(schema.account_key(hold.account_id), update)
        except ConditionFailedError as failed:
            item = known(failed.item, hold.account_id)
        held = item["holds"].get(hold.hold_id)
        if held is None:
            return _charged(item, hold, now_us), item
        if held["x"] <= now_us:
            break
    return 0, _bring_home(table, hold, held)


def _settlement(hold: Hold, now_us: Instant) -> Expressions:
    update = Expressions()
    month = datetime.fromtimestamp(now_us // SECOND_US, UTC).strftime("%Y-%m")
    used, price = update.path("used"), update.value(hold.price)
    update.conditions.append(f"{update.path('holds', hold.hold_id, 'x')} > {update.value(now_us)}")
    update.sets.append(f"{used} = {used} + {price}")
    update.adds += [
        f"{update.path(f'calls{month}')} {update.value(1)}",
        f"{update.path(f'credits{month}')} {price}",
    ]
    _end(update, hold, frozenset({_mark(hold.hold_id)}), now_us)
    return update


def refund(table: DynamoTable, hold: Hold, now_us: Instant, weight: Weight | None) -> Item:
    """Move the price back to the balance, if it is still held.

    Raises:
        UnknownAccountError: there is no such account.

    """
    for add_weight in additions(hold.key_digest, weight, table.limiter.us(now_us)):
        update = Expressions()
        balance = update.path("balance")
        update.sets.append(f"{balance} = {balance} + {update.value(hold.price)}")
        mark = _mark(hold.hold_id)
        _end(update, hold, frozenset({mark, mark + REFUNDED}), now_us)
        add_weight(update)
        try:
            return table.update(schema.account_key(hold.account_id), update)
        except ConditionFailedError as failed:
            item = known(failed.item, hold.account_id)
        if hold.hold_id not in item["holds"]:
            break
    return item


def tidy(table: DynamoTable, account_id: str, item: Item, now_us: Instant) -> Item:
    """Release expired holds, drop old marks and ended keys; return the item after that.

    A hold is left alone for `CLOCK_SKEW_US` after its expiry: the machine that holds
    it may have a slower clock and settle it just in time.
    """
    past_us = now_us - CLOCK_SKEW_US
    while update := _due(item, past_us):
        try:
            item = table.update(schema.account_key(account_id), update)
        except ConditionFailedError as failed:
            item = known(failed.item, account_id)
    return ended_keys.remove(table, account_id, item, now_us)


def known(item: Item | None, account_id: str) -> Item:
    """Return the account's item.

    Raises:
        UnknownAccountError: there is none.

    """
    if item is None:
        message = f"there is no account {account_id}"
        raise UnknownAccountError(message)
    return item


def _due(item: Item, past_us: int) -> Expressions | None:
    """Return the write that tidies the item, or None if there is nothing worth it."""
    expired = {name: held for name, held in item["holds"].items() if held["x"] <= past_us}
    slot = (past_us - COPY_US) // SLOT_US
    past = [name for name in item if name.startswith(ENDED) and _slot_of(name) < slot]
    waste_bytes = sum(len(name) + MARK_BYTES * len(item[name]) for name in past)
    if not expired and waste_bytes < FORGET_AT_BYTES:
        return None
    update = _homecoming(dict(islice(expired.items(), BATCH)))
    update.removes += [update.path(name) for name in past[:BATCH]]
    return update


def _homecoming(holds: Item) -> Expressions:
    """Return the write that gives the holds' credits back, if all of them are still there."""
    update = Expressions()
    balance = update.path("balance")
    returned = sum(held["c"] for held in holds.values())
    update.sets.append(f"{balance} = {balance} + {update.value(returned)}")
    update.conditions.append(f"attribute_exists({balance})")
    for hold_id, held in holds.items():
        hold = update.path("holds", hold_id)
        update.conditions.append(f"{hold} = {update.value(held)}")
        update.removes.append(hold)
    return update


def _end(update: Expressions, hold: Hold, marks: frozenset[bytes], now_us: Instant) -> None:
    held = update.path("holds", hold.hold_id)
    # The price as a condition: what leaves the hold is exactly what entered it.
    update.conditions.append(f"{held}.{update.path('c')} = {update.value(hold.price)}")
    update.removes.append(held)
    ended = update.path(f"{ENDED}{now_us // SLOT_US}")
    update.adds.append(f"{ended} {update.value(marks)}")


def _bring_home(table: DynamoTable, hold: Hold, held: Item) -> Item:
    """Give up a hold whose own machine finds it expired."""
    try:
        update = _homecoming({hold.hold_id: held})
        return table.update(schema.account_key(hold.account_id), update)
    except ConditionFailedError as failed:
        return known(failed.item, hold.account_id)


def _charged(item: Item, hold: Hold, now_us: Instant) -> int:
    marks, mark = _marks(item), _mark(hold.hold_id)
    settled = mark in marks and mark + REFUNDED not in marks
    return hold.price if settled and now_us < hold.expires_us else 0


def _mark(hold_id: str) -> bytes:
    return sha256(hold_id.encode()).digest()[:MARK_BYTES]


def _marks(item: Item) -> frozenset[bytes]:
    sets = (item[name] for name in item if name.startswith(ENDED))
    return frozenset().union(*sets)


def _slot_of(name: str) -> int:
    return int(name.removeprefix(ENDED))

"""A customer in the tested store: an account with a key, and the holds of its calls.

Amounts in the tests of the stores are in quarters of a credit, as in all code that the routes call.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from typing import TYPE_CHECKING

from blur.account_status import RateLimit
from blur.accounts import idempotency, keys
from blur.accounts.idempotency_key import IdempotencyKey
from blur.accounts.model import (
    SECOND_US,
    EntryKind,
    Hold,
    IdempotencyRecord,
    Instant,
    KeyKind,
    KeyRecord,
    LedgerEntry,
)
from blur.credits import Credits
from blur.errors import ApiError

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore

START = Instant(1_800_000_000 * SECOND_US)
"""15 January 2027, 08:00 UTC, the start of every test."""
TTL_US = 60 * SECOND_US
GENEROUS = RateLimit(per_minute=6_000_000, burst=10_000_000)
"""A rate limit so high that no test reaches it, even with calls whose `now_us` is in the past."""
UNKNOWN_ACCOUNT = "000000000000"
"""An id that no account has."""

_numbers = count(1)


def after(seconds: float) -> Instant:
    """Return the time this many seconds after START."""
    return Instant(START + round(seconds * SECOND_US))


def new_id(prefix: str) -> str:
    """Return an id that is unique in this test run."""
    return f"{prefix}_{next(_numbers)}_{secrets.token_hex(4)}"


def key_record(
    account_id: str,
    kind: KeyKind = KeyKind.LIVE,
    *,
    limit: RateLimit = GENEROUS,
    expires_us: Instant | None = None,
    created_us: Instant = START,
) -> KeyRecord:
    """Return the record of a new key."""
    key = keys.parse(keys.mint(kind, account_id, secrets.token_bytes))
    return KeyRecord(
        digest=key.digest,
        account_id=account_id,
        kind=kind,
        prefix=key.prefix,
        created_us=created_us,
        expires_us=expires_us,
        revoked=False,
        limit=limit,
    )


def entry(
    account_id: str,
    credits: int,  # noqa: A002 - `credits` is the usual word
    kind: EntryKind = EntryKind.TOP_UP,
    *,
    at_us: Instant = START,
    note: str = "",
) -> LedgerEntry:
    """Return a new ledger entry."""
    return LedgerEntry(new_id("entry"), account_id, kind, Credits(credits), at_us, note)


@dataclass(frozen=True)
class Customer:
    """An account and one of its keys."""

    account_id: str
    digest: str

    def hold(self, price: int = 1, *, now_us: Instant = START, ttl_us: int = TTL_US) -> Hold:
        """Return a hold for a new call; the store does not have it yet."""
        expires_us = Instant(now_us + ttl_us)
        return Hold(new_id("hold"), self.account_id, self.digest, Credits(price), expires_us)


def take_hold(
    store: AccountStore,
    customer: Customer,
    price: int = 1,
    *,
    now_us: Instant,
    ttl_us: int = TTL_US,
) -> Hold:
    """Reserve a hold for a new call, and return it."""
    hold = customer.hold(price, now_us=now_us, ttl_us=ttl_us)
    store.reserve(hold, now_us=now_us)
    return hold


def record_of(hold: Hold) -> IdempotencyRecord:
    """Return the idempotency record of a running call; the record expires a day after `START`."""
    return IdempotencyRecord(
        account_id=hold.account_id,
        scope=sha256(b"scope").hexdigest(),
        fingerprint=sha256(b"image").hexdigest(),
        hold_id=hold.hold_id,
        done=False,
        lease_until_us=hold.expires_us,
        forget_us=after(24 * 3600),
    )


@dataclass(frozen=True)
class KeyedForm:
    """The `Idempotency-Key` of a call, and the fingerprint of its form."""

    key: str
    fingerprint: str = "fingerprint"


def begin(
    store: AccountStore, hold: Hold, form: KeyedForm | None, *, now_us: Instant
) -> idempotency.Reservation:
    """Call `reserve` and `identify` as the service does, and roll back a rejected call."""
    key = IdempotencyKey(form.key) if form else None
    reservation = idempotency.reserve(store, hold, key, now_us=now_us)
    try:
        fingerprint = form.fingerprint if form else ""
        return idempotency.identify(store, reservation, fingerprint, now_us=now_us)
    except ApiError as error:
        error.add_account_status(idempotency.rollback(store, reservation, now_us=now_us))
        raise


MakeAccount = Callable[..., Customer]


def open_account(
    store: AccountStore,
    credits: int = 100,  # noqa: A002 - `credits` is the usual word
    *,
    limit: RateLimit = GENEROUS,
    expires_us: Instant | None = None,
) -> Customer:
    """Create an account with this amount, in quarters of a credit, and one live key."""
    account_id = keys.new_account_id(secrets.token_bytes)
    store.create_account(account_id, "A customer", now_us=START)
    if credits:
        store.append_entry(entry(account_id, credits, EntryKind.GRANT))
    key = key_record(account_id, limit=limit, expires_us=expires_us)
    store.add_key(key, now_us=START)
    return Customer(account_id, key.digest)

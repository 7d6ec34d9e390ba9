"""One charge for one call, however often it is sent and whatever dies on the way.

A call begins with a hold and, where the client sent an `Idempotency-Key`, with a record
that names the hold as its owner. The order of the writes decides who has the credit after
a crash between any two of them (docs/adr/0005 has the table): the record is marked done
before the hold is settled, so that the one possible error is a call that cost nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blur.accounts.model import SECOND_US, IdempotencyRecord, Instant
from blur.errors import (
    IdempotencyConflictError,
    IdempotencyInProgressError,
    InsufficientCreditsError,
    UnavailableError,
)

if TYPE_CHECKING:
    from blur.accounts.model import AccountStatus, Claim, Hold, Reservation
    from blur.accounts.store import CallStore
    from blur.errors import ApiError

REMEMBER_US = 24 * 3600 * SECOND_US
"""How long an `Idempotency-Key` counts after its first call."""

POLL_S = 2
"""What a client is told to wait while the first call under its key still runs."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """An `Idempotency-Key` and what it was sent with."""

    idempotency_key: str
    fingerprint: str

    def scope(self, key_digest: str) -> str:
        """Name the record: the same header from another API key is another record."""
        return hashlib.sha256(f"{key_digest}\n{self.idempotency_key}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Call:
    """An admitted call. Without a hold it repeats one that was charged before."""

    standing: AccountStatus
    hold: Hold | None = None
    record: IdempotencyRecord | None = None


def begin(store: CallStore, claim: Claim, ticket: Ticket | None, *, now_us: Instant) -> Call:
    """Admit a call: hold its price, or find that it was paid for already.

    Raises:
        ApiError: 401, 429 or 402 as `CallStore.reserve` has them; 409 where the key was
            used with something else or its first call still runs.

    """
    try:
        reservation = store.reserve(claim, now_us=now_us)
    except InsufficientCreditsError:
        # The last credit may be with the very call that is repeated here.
        if owner := ticket and _owner(store, claim, ticket, now_us):
            standing = store.authorize(claim.account_id, claim.key_digest, now_us=now_us)
            return _yielded(owner, ticket, standing)
        raise
    if ticket is None:
        return Call(reservation.standing, reservation.hold)
    return _own_or_yield(store, reservation, ticket, now_us)


def finish(store: CallStore, call: Call, *, now_us: Instant) -> AccountStatus:
    """Charge a call that ended in a picture.

    Where the store is out of reach by now, the picture is delivered all the same: either
    the charge went through, or the hold expires and the credit comes back. The standing
    then tells the most that the call can have cost.
    """
    if call.hold is None:
        return call.standing
    try:
        if call.record and not store.complete_record(call.record):
            # Another call has taken the record over and is charged: this one must not be.
            return store.refund(call.hold, now_us=now_us)
        return store.settle(call.hold, now_us=now_us)
    except UnavailableError:
        return call.standing


def abandon(store: CallStore, call: Call, *, now_us: Instant) -> AccountStatus | None:
    """Give the credit of a call that failed back, and its `Idempotency-Key` too.

    Where the store is out of reach, both come back by themselves when the hold expires.
    """
    if call.hold is None:
        return call.standing
    try:
        standing = store.refund(call.hold, now_us=now_us)
        if call.record:
            store.release_record(call.record)
    except UnavailableError:
        return None
    return standing


def _own_or_yield(
    store: CallStore, reservation: Reservation, ticket: Ticket, now_us: Instant
) -> Call:
    """Make the held call the owner of its record, or yield to the call that owns it."""
    hold, call = reservation.hold, Call(reservation.standing, reservation.hold)
    record = IdempotencyRecord(
        account_id=hold.account_id,
        scope=ticket.scope(hold.key_digest),
        fingerprint=ticket.fingerprint,
        hold_id=hold.hold_id,
        done=False,
        lease_until_us=hold.expires_us,
        forget_us=Instant(now_us + REMEMBER_US),
    )
    try:
        owner = store.claim_record(record, now_us=now_us)
    except UnavailableError:
        abandon(store, call, now_us=now_us)
        raise
    if owner is None:
        return Call(call.standing, hold, record)
    # If the hold cannot be given back just now, it expires: this call costs nothing.
    standing = abandon(store, call, now_us=now_us) or replace(call.standing, credits_charged=0)
    return _yielded(owner, ticket, standing)


def _owner(
    store: CallStore, claim: Claim, ticket: Ticket, now_us: Instant
) -> IdempotencyRecord | None:
    return store.find_record(claim.account_id, ticket.scope(claim.key_digest), now_us=now_us)


def _yielded(owner: IdempotencyRecord, ticket: Ticket, standing: AccountStatus) -> Call:
    """Return a call that `owner` has paid for, or refuse it."""
    if refusal := _refusal(owner, ticket):
        refusal.standing = standing
        raise refusal
    return Call(standing)


def _refusal(owner: IdempotencyRecord, ticket: Ticket) -> ApiError | None:
    if owner.fingerprint != ticket.fingerprint:
        message = "This Idempotency-Key was used before, with another image or parameters."
        return IdempotencyConflictError(message)
    if not owner.done:
        message = "The first call with this Idempotency-Key has not ended yet."
        return IdempotencyInProgressError(message, retry_after_s=POLL_S)
    return None

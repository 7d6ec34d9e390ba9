"""Idempotency keys: a call is charged once, also when it is repeated or a process ends midway.

A call goes through three steps:

    reserve     authenticate, count the request, and hold the price
    identify    once the form is read: store the record of its `Idempotency-Key`
    commit      charge the hold; or rollback: give it back

The record names the hold as its owner. The order of the writes decides who has the credit after
a crash between any two of them (docs/adr/0005 has the table): the record is marked done before
the hold is settled, so that the one possible error is a call that cost nothing.

A call whose `Idempotency-Key` has a record already holds nothing: it repeats the earlier call,
or is refused with 409. Only calls that are sent at the same instant, before the first of them
has stored its record, hold a credit each for as long as their forms are read.
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
    from blur.account_status import AccountStatus
    from blur.accounts.model import Claim, Hold, Weight
    from blur.accounts.ports import CallStore

REMEMBER_US = 24 * 3600 * SECOND_US
"""How long an `Idempotency-Key` counts after its first call."""

RETRY_AFTER_S = 2
"""When to ask again while the first call under the same key is running."""


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The value of the header."""

    value: str

    def scope(self, key_digest: str) -> str:
        """Name the record: the same header from another API key is another record."""
        return hashlib.sha256(f"{key_digest}\n{self.value}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Call:
    """An authorized call: it holds its price, or it has an earlier call to repeat."""

    claim: Claim
    status: AccountStatus
    hold: Hold | None = None
    scope: str | None = None
    """The name of the record, where the call has an `Idempotency-Key`."""
    record: IdempotencyRecord | None = None
    """The record, once this call owns it."""
    earlier: IdempotencyRecord | None = None
    """The record of the call that is repeated, which owns it."""


def reserve(store: CallStore, claim: Claim, key: IdempotencyKey | None, *, now_us: Instant) -> Call:
    """Authorize a call and hold its price, unless its key has been used before.

    Raises:
        ApiError: 401, 429 or 402 as `CallStore.reserve` has them.

    """
    if key is None:
        reservation = store.reserve(claim, now_us=now_us)
        return Call(claim, reservation.standing, reservation.hold)
    scope = key.scope(claim.key_digest)
    if earlier := store.find_record(claim.account_id, scope, now_us=now_us):
        status = store.authorize(claim.account_id, claim.key_digest, now_us=now_us)
        return Call(claim, status, scope=scope, earlier=earlier)
    try:
        reservation = store.reserve(claim, now_us=now_us)
    except InsufficientCreditsError as error:
        # The last credit can be with the very call that is repeated here.
        earlier = store.find_record(claim.account_id, scope, now_us=now_us)
        if earlier is None or error.account_status is None:
            raise
        return Call(claim, error.account_status, scope=scope, earlier=earlier)
    return Call(claim, reservation.standing, reservation.hold, scope)


def identify(store: CallStore, call: Call, fingerprint: str, *, now_us: Instant) -> Call:
    """Compare the call with the record of its key, or store the record.

    Raises:
        IdempotencyConflictError: the key was used with another image or other parameters.
        IdempotencyInProgressError: the earlier call is still running.

    """
    if call.hold and call.scope:
        record = _record(call.hold, call.scope, fingerprint, now_us)
        call = _own(store, replace(call, record=record), record, now_us)
    if call.earlier:
        _require_replayable(call.earlier, fingerprint)
    return call


def commit(
    store: CallStore, call: Call, *, now_us: Instant, weight: Weight | None = None
) -> AccountStatus:
    """Charge a call that has ended in a picture.

    Where the store cannot be reached, the picture is delivered all the same: either the charge
    went through, or the hold expires and the credit comes back. `credits_charged` is None then.
    """
    if call.hold is None:
        return _weighed(store, call, weight, now_us)
    try:
        if call.record and not store.complete_record(call.record):
            # Another call has taken the record over and is charged: this one must not be.
            return store.refund(call.hold, now_us=now_us, weight=weight)
    except UnavailableError:
        return replace(call.status, credits_charged=0)  # nothing settles the hold: it expires
    try:
        return store.settle(call.hold, now_us=now_us, weight=weight)
    except UnavailableError:
        return replace(call.status, credits_charged=None if call.hold.price else 0)


def rollback(
    store: CallStore, call: Call, *, now_us: Instant, weight: Weight | None = None
) -> AccountStatus:
    """Give the credit of a failed call back, and its `Idempotency-Key` too.

    Where the store cannot be reached, both come back by themselves when the hold expires.
    """
    if call.hold is None:
        return _weighed(store, call, weight, now_us)
    try:
        status = store.refund(call.hold, now_us=now_us, weight=weight)
        if call.record:
            store.release_record(call.record)
    except UnavailableError:
        return replace(call.status, credits_charged=0)
    return status


def _record(hold: Hold, scope: str, fingerprint: str, now_us: Instant) -> IdempotencyRecord:
    return IdempotencyRecord(
        account_id=hold.account_id,
        scope=scope,
        fingerprint=fingerprint,
        hold_id=hold.hold_id,
        done=False,
        lease_until_us=hold.expires_us,
        forget_us=Instant(now_us + REMEMBER_US),
    )


def _own(store: CallStore, call: Call, record: IdempotencyRecord, now_us: Instant) -> Call:
    """Make the call the owner of its record; or give its hold back and repeat the owner."""
    try:
        earlier = store.claim_record(record, now_us=now_us)
    except UnavailableError:
        rollback(store, call, now_us=now_us)
        raise
    if earlier is None:
        return call
    status = rollback(store, replace(call, record=None), now_us=now_us)
    return Call(call.claim, status, scope=call.scope, earlier=earlier)


def _require_replayable(earlier: IdempotencyRecord, fingerprint: str) -> None:
    if earlier.fingerprint != fingerprint:
        message = "This Idempotency-Key was used before, with another image or parameters."
        raise IdempotencyConflictError(message)
    if not earlier.done:
        message = "The first call with this Idempotency-Key has not ended yet."
        raise IdempotencyInProgressError(message, retry_after_s=RETRY_AFTER_S)


def _weighed(store: CallStore, call: Call, weight: Weight | None, now_us: Instant) -> AccountStatus:
    if weight is None:
        return call.status
    account_id, key_digest = call.claim.account_id, call.claim.key_digest
    try:
        return store.add_weight(account_id, key_digest, weight, now_us=now_us)
    except UnavailableError:
        return call.status

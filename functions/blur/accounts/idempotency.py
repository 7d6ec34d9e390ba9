"""Idempotency keys: a call is charged at most once, even if it is repeated or its process dies.

A call uses three of the functions below:

    reserve     authenticate the call, count the request, and hold the price
    identify    after the form is read, store the record of the call's `Idempotency-Key`
    commit      charge the hold; or rollback: refund the hold

The record contains the id of the call's hold. If the process crashes between two writes, the order
of the writes determines whether the price is held, charged or refunded (ADR 5 has the table). The
record is marked done before the hold is settled. So a crash between these two writes can leave a
call uncharged, but no crash can cause a second charge.

No credits are held for a call whose `Idempotency-Key` already has a record: the call gets a replay
of the earlier call, or is rejected with 409. If several calls with one key are sent before the
first call has stored its record, each call has a hold while its form is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blur.credits import ZERO
from blur.errors import (
    IdempotencyConflictError,
    IdempotencyInProgressError,
    InsufficientCreditsError,
    UnavailableError,
)

if TYPE_CHECKING:
    from blur.account_status import AccountStatus
    from blur.accounts.idempotency_key import IdempotencyKey
    from blur.accounts.model import Hold, IdempotencyRecord, Instant, Weight
    from blur.accounts.ports import CallStore


@dataclass(frozen=True, slots=True)
class Reservation:
    """An authorized call that has a hold or replays an earlier call."""

    hold: Hold
    """The hold of the call. If the call is a replay, the store does not have this hold."""
    status: AccountStatus
    key: IdempotencyKey | None = None
    record: IdempotencyRecord | None = None
    """The record of the idempotency key, if this call owns the record."""
    earlier: IdempotencyRecord | None = None
    """The record of the earlier call that this call replays, if any."""

    @property
    def scope(self) -> str:
        """The name of the record; empty without an idempotency key."""
        return self.key.scope(self.hold.key_digest) if self.key else ""

    @property
    def is_replay(self) -> bool:
        """Whether the call replays an earlier call; a replay has no hold and costs nothing."""
        return self.earlier is not None


def reserve(
    store: CallStore, hold: Hold, key: IdempotencyKey | None, *, now_us: Instant
) -> Reservation:
    """Authorize a call, and reserve its credits unless its idempotency key was used before.

    Raises:
        ApiError: 401, 429 or 402 as in `CallStore.reserve`.

    """
    if key is None:
        return Reservation(hold, store.reserve(hold, now_us=now_us))
    scope = key.scope(hold.key_digest)
    if earlier := store.find_record(hold.account_id, scope, now_us=now_us):
        status = store.authorize(hold.account_id, hold.key_digest, now_us=now_us)
        return Reservation(hold, status, key, earlier=earlier)
    try:
        status = store.reserve(hold, now_us=now_us)
    except InsufficientCreditsError as error:
        # The first call with this idempotency key can hold the account's last credits.
        earlier = store.find_record(hold.account_id, scope, now_us=now_us)
        if earlier is None or error.account_status is None:
            raise
        return Reservation(hold, error.account_status, key, earlier=earlier)
    return Reservation(hold, status, key)


def identify(
    store: CallStore, reservation: Reservation, fingerprint: str, *, now_us: Instant
) -> Reservation:
    """Compare the call with the record of its idempotency key, or store a record if there is none.

    Raises:
        IdempotencyConflictError: the key was used before with a different image or parameters.
        IdempotencyInProgressError: the earlier call is still running.

    """
    reservation = claim(store, reservation, fingerprint, now_us=now_us)
    if reservation.key and reservation.earlier:
        _require_replayable(reservation.key, reservation.earlier, fingerprint, now_us)
    return reservation


def claim(
    store: CallStore, reservation: Reservation, fingerprint: str, *, now_us: Instant
) -> Reservation:
    """Store a record of the call for its idempotency key.

    If there is a valid record of another call, refund this call and set `earlier`.
    """
    key = reservation.key
    if key is None or reservation.is_replay:
        return reservation
    record = key.new_record(reservation.hold, fingerprint, now_us)
    try:
        earlier = store.claim_record(record, now_us=now_us)
    except UnavailableError:
        rollback(store, replace(reservation, record=record), now_us=now_us, failed=True)
        raise
    if earlier is None:
        return replace(reservation, record=record)
    status = rollback(store, reservation, now_us=now_us)
    return replace(reservation, status=status, earlier=earlier)


def commit(
    store: CallStore,
    reservation: Reservation,
    *,
    now_us: Instant,
    weight: Weight | None = None,
    pixels: int = 0,
) -> AccountStatus:
    """Charge a call that ends with an image; `pixels` is the size of its photo.

    The image is delivered even if the store cannot be reached. In that case either the store has
    made the charge, or the hold expires and its credits are refunded. `credits_charged` is None if
    it is not known which of the two happens.
    """
    if reservation.is_replay:
        return _add_weight(store, reservation, weight, now_us)
    hold, status = reservation.hold, reservation.status
    try:
        if reservation.record and not store.complete_record(reservation.record):
            # Another call has taken over the record and is charged, so this call must not be
            # charged.
            return store.refund(hold, now_us=now_us, weight=weight)
    except UnavailableError:
        return replace(status, credits_charged=ZERO)  # nothing settles the hold, so it expires
    try:
        return store.settle(hold, now_us=now_us, weight=weight, pixels=pixels)
    except UnavailableError:
        return replace(status, credits_charged=None if hold.price else ZERO)


def rollback(
    store: CallStore,
    reservation: Reservation,
    *,
    now_us: Instant,
    weight: Weight | None = None,
    failed: bool = False,
) -> AccountStatus:
    """Refund a call and release its `Idempotency-Key`; count a `failed` call as a failure.

    If the store cannot be reached, the call is refunded and its idempotency key is released when
    the hold expires.
    """
    if reservation.is_replay:
        return _add_weight(store, reservation, weight, now_us)
    try:
        status = store.refund(reservation.hold, now_us=now_us, weight=weight, failed=failed)
        if reservation.record:
            store.release_record(reservation.record)
    except UnavailableError:
        return replace(reservation.status, credits_charged=ZERO)
    return status


def _require_replayable(
    key: IdempotencyKey, earlier: IdempotencyRecord, fingerprint: str, now_us: Instant
) -> None:
    if earlier.fingerprint != fingerprint:
        message = (
            "This Idempotency-Key was used before with a different image or parameters."
            " Send a new one."
        )
        raise IdempotencyConflictError(message)
    if not earlier.done:
        message = (
            "The first call with this Idempotency-Key has not ended yet. Send the call again later."
        )
        wait_s = key.retry_after_s(earlier, now_us)
        raise IdempotencyInProgressError(message, retry_after_s=wait_s)


def _add_weight(
    store: CallStore, reservation: Reservation, weight: Weight | None, now_us: Instant
) -> AccountStatus:
    if weight is None:
        return reservation.status
    hold = reservation.hold
    try:
        return store.add_weight(hold.account_id, hold.key_digest, weight, now_us=now_us)
    except UnavailableError:
        return reservation.status

"""Repeated calls without an `Idempotency-Key`: the key is derived from the request's content.

remove.bg's clients send no `Idempotency-Key`, and one of them repeats a request if the response
takes too long. Copies of a request have the same derived key, so they are charged as one call.
`forms.py` computes the digests of the derived key; `BLUR_REMOVEBG_DEDUPE_S` sets how long it is
valid. Such calls differ from calls with an `Idempotency-Key` in two ways:

- A copy waits while the first call is running. This client repeats a request only after a time-out,
  so its user would see an error if the copy were rejected (ADR 23).
- The image at a URL can change. If it has changed, the call is a new call, not a conflict.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from blur.accounts.idempotency import Reservation, claim, reserve
from blur.accounts.idempotency_key import MIN_RETRY_AFTER_S, IdempotencyKey
from blur.accounts.model import SECOND_US
from blur.errors import IdempotencyInProgressError

if TYPE_CHECKING:
    from collections.abc import Callable

    from blur.accounts.model import Hold, IdempotencyRecord, Instant
    from blur.accounts.ports import CallStore

MAX_WAIT_S = 25
"""The longest time that a copy waits for the end of the first call. Only one of remove.bg's clients
repeats calls: after 20 seconds without a response, but not after a 429."""
POLL_S = 0.25


def derived_key(content: str, *, remember_us: int) -> IdempotencyKey:
    """Return the idempotency key that is made from a digest of a request's content.

    The key contains a space, which no `Idempotency-Key` contains, so it never equals a client's
    key.
    """
    return IdempotencyKey(f"derived {content}", remember_us, is_derived=True)


def identify_repeat(  # noqa: PLR0913 - it needs the call, the store, a pause and a clock
    store: CallStore,
    reservation: Reservation,
    fingerprint: str,
    *,
    new_hold: Callable[[IdempotencyKey], Hold],
    pause: Callable[[float], bool],
    clock: Callable[[], Instant],
) -> Reservation:
    """Wait until the call owns the record of its derived key, or replays a finished call.

    `pause` waits for some seconds and returns True. It returns False if the client has
    disconnected, or raises an error that ends this call. If the first call fails, one of the copies
    takes the hold that `new_hold` returns, and becomes the first call.

    Raises:
        ApiError: 401, 429 or 402 as in `CallStore.reserve`, or the error that `pause` raises.
        IdempotencyInProgressError: the first call has not ended after `MAX_WAIT_S`, or the client
        has disconnected.

    """
    until_us = clock() + MAX_WAIT_S * SECOND_US

    def wait() -> None:
        if clock() >= until_us or not pause(POLL_S):
            message = (
                "The first call with this image and these parameters has not ended yet."
                " Send the call again later."
            )
            raise IdempotencyInProgressError(message, retry_after_s=MIN_RETRY_AFTER_S)

    while True:
        reservation = claim(store, reservation, fingerprint, now_us=clock())
        key, earlier = reservation.key, reservation.earlier
        if key is None or earlier is None:
            return reservation
        if earlier.fingerprint != fingerprint:
            key = replace(key, value=f"{key.value} {fingerprint}")
        elif earlier.done:
            return reservation
        elif ended := _await_end(store, reservation, wait, clock):
            reservation = replace(reservation, earlier=ended)
            continue
        reservation = reserve(store, new_hold(key), key, now_us=clock())


def _await_end(
    store: CallStore,
    reservation: Reservation,
    wait: Callable[[], None],
    clock: Callable[[], Instant],
) -> IdempotencyRecord | None:
    """Wait until the earlier call ends; return its record, or None if the call has failed."""
    record = reservation.earlier
    while record and not record.done:
        wait()
        record = store.find_record(reservation.hold.account_id, reservation.scope, now_us=clock())
    return record

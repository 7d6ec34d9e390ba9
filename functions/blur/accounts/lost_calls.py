"""Calls whose process ended before the hold was settled or refunded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blur.accounts.idempotency_key import IdempotencyKey
    from blur.accounts.model import Hold, Instant
    from blur.accounts.ports import CallStore


@dataclass(frozen=True, slots=True)
class StartedCall:
    """A call whose hold can be reserved. If its process ends, another process refunds the call."""

    hold: Hold
    key: IdempotencyKey | None


def refund_lost_call(store: CallStore, call: StartedCall, *, now_us: Instant) -> None:
    """Refund a call whose process has ended, and release its idempotency key.

    If the call was charged before its process ended, or never reserved its hold, nothing changes.

    Raises:
        UnavailableError: the store cannot be reached. The hold expires later.
        UnknownAccountError: the account or the key does not exist, so nothing was held.

    """
    store.refund(call.hold, now_us=now_us, failed=True)
    if call.key:
        store.release_record(call.key.new_record(call.hold, "", now_us))

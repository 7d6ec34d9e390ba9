r"""The states of a hold, as a table that both stores implement and that their tests use.

If a process ends before it settles or refunds a hold, the hold stays HELD until it expires. The
next access to the account then returns the price to the balance (`release_expired` in
`sqlite/holds.py` and `dynamo/holds.py`). If only a worker of the embedded server ends, the worker
that replaces it refunds the hold earlier (`lost_calls.py`).

    reserve --> HELD --settle--> SETTLED     the price is charged
                    \--refund--> REFUNDED    the price is back in the balance, immediately
                    \--expire--> REFUNDED    the price is back, at the next access

An ended hold never changes: repeated and later events have no effect, so each event can be sent
again. For each state, `PRICE_LOCATION` names the amount of the account that includes the hold's
price, so that granted - used = balance + held in every state. ADR 5 gives the reasons.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from blur.accounts.model import Instant
from blur.credits import ZERO, Credits
from blur.skew import CLOCK_SKEW_US

if TYPE_CHECKING:
    from blur.accounts.model import Hold


class HoldState(StrEnum):
    """The states of a hold; SQLite's column `state` has these values."""

    HELD = "held"
    SETTLED = "settled"
    REFUNDED = "refunded"


class HoldEvent(StrEnum):
    """An event that can end a hold."""

    SETTLE = "settle"
    REFUND = "refund"
    EXPIRE = "expire"


class AccountField(StrEnum):
    """The amounts of an account; the price of a hold is part of exactly one of these amounts."""

    BALANCE = "balance"
    HELD = "held"
    USED = "used"


TRANSITIONS = {
    (HoldState.HELD, HoldEvent.SETTLE): HoldState.SETTLED,
    (HoldState.HELD, HoldEvent.REFUND): HoldState.REFUNDED,
    (HoldState.HELD, HoldEvent.EXPIRE): HoldState.REFUNDED,
}
"""The state after each event that has an effect."""

PRICE_LOCATION = {
    HoldState.HELD: AccountField.HELD,
    HoldState.SETTLED: AccountField.USED,
    HoldState.REFUNDED: AccountField.BALANCE,
}


def next_state(state: HoldState, event: HoldEvent) -> HoldState:
    """Return the state after an event, or `state` if the event has no effect."""
    return TRANSITIONS.get((state, event), state)


def event_at(event: HoldEvent, expires_us: Instant, now_us: Instant) -> HoldEvent:
    """Return the event that takes effect now: from the hold's expiry on, SETTLE becomes EXPIRE."""
    is_late = event is HoldEvent.SETTLE and now_us >= expires_us
    return HoldEvent.EXPIRE if is_late else event


def released_until_us(now_us: Instant) -> Instant:
    """Return the latest expiry of the holds that can be released now: `CLOCK_SKEW_US` before now.

    A machine whose clock is slow can settle its hold until its own clock shows the expiry, and this
    moment can be `CLOCK_SKEW_US` after the expiry on this machine's clock.
    """
    return Instant(now_us - CLOCK_SKEW_US)


def credits_charged(state: HoldState | None, hold: Hold, now_us: Instant) -> Credits:
    """Return the charge that `settle` reports for a hold in this state.

    `state` is None if the store has deleted the hold. After the hold's expiry, `settle` always
    reports 0, even if the hold was settled in time, because stores delete ended holds.
    """
    return hold.price if state is HoldState.SETTLED and now_us < hold.expires_us else ZERO

"""The table of the states of a hold, and of the events that change the state."""

from __future__ import annotations

from itertools import product

import pytest

from blur.accounts.hold_states import (
    PRICE_LOCATION,
    TRANSITIONS,
    AccountField,
    HoldEvent,
    HoldState,
    credits_charged,
    event_at,
    next_state,
    released_until_us,
)
from blur.accounts.model import Hold, Instant
from blur.credits import Credits
from blur.skew import CLOCK_SKEW_US

EXPIRES_US = Instant(1_000_000_000)
JUST_BEFORE_US = Instant(EXPIRES_US - 1)
HOLD = Hold("hold", "account", "digest", Credits(3), EXPIRES_US)
ENDED = [state for state in HoldState if state is not HoldState.HELD]


@pytest.mark.parametrize(
    ("event", "after"),
    [
        (HoldEvent.SETTLE, HoldState.SETTLED),
        (HoldEvent.REFUND, HoldState.REFUNDED),
        (HoldEvent.EXPIRE, HoldState.REFUNDED),
    ],
)
def test_each_event_settles_or_refunds_a_hold(event: HoldEvent, after: HoldState) -> None:
    assert next_state(HoldState.HELD, event) is after


@pytest.mark.parametrize(("state", "event"), list(product(ENDED, HoldEvent)))
def test_no_event_changes_a_settled_or_refunded_hold(state: HoldState, event: HoldEvent) -> None:
    assert next_state(state, event) is state


def test_the_table_has_one_transition_from_the_state_held_for_each_event_and_no_others() -> None:
    assert set(TRANSITIONS) == set(product([HoldState.HELD], HoldEvent))


def test_the_state_of_a_hold_decides_whether_its_price_is_held_used_or_in_the_balance() -> None:
    assert PRICE_LOCATION == {
        HoldState.HELD: AccountField.HELD,
        HoldState.SETTLED: AccountField.USED,
        HoldState.REFUNDED: AccountField.BALANCE,
    }


def test_settling_a_hold_at_its_expiry_time_counts_as_an_expiry() -> None:
    assert event_at(HoldEvent.SETTLE, EXPIRES_US, JUST_BEFORE_US) is HoldEvent.SETTLE
    assert event_at(HoldEvent.SETTLE, EXPIRES_US, EXPIRES_US) is HoldEvent.EXPIRE


@pytest.mark.parametrize("event", [HoldEvent.REFUND, HoldEvent.EXPIRE])
@pytest.mark.parametrize("now_us", [JUST_BEFORE_US, EXPIRES_US])
def test_a_refund_stays_a_refund_and_an_expiry_stays_an_expiry_at_the_expiry_time(
    event: HoldEvent, now_us: Instant
) -> None:
    assert event_at(event, EXPIRES_US, now_us) is event


def test_a_hold_can_be_released_5_seconds_after_its_expiry_and_not_earlier() -> None:
    now_us = Instant(EXPIRES_US + CLOCK_SKEW_US)
    assert released_until_us(now_us) == EXPIRES_US
    assert released_until_us(Instant(now_us - 1)) < EXPIRES_US


def test_a_charge_is_reported_only_for_a_settled_hold_and_only_until_its_expiry() -> None:
    charged = {state: credits_charged(state, HOLD, JUST_BEFORE_US) for state in (*HoldState, None)}
    assert charged == {
        HoldState.HELD: 0,
        HoldState.SETTLED: 3,
        HoldState.REFUNDED: 0,
        None: 0,
    }
    assert credits_charged(HoldState.SETTLED, HOLD, EXPIRES_US) == 0

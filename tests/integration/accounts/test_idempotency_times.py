"""Idempotency records expire or are taken over by later calls, even if machines' clocks differ."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.accounts.customer import START, MakeAccount, after, begin
from tests.integration.accounts.idempotent_calls import FORM

from blur.accounts import idempotency
from blur.accounts.model import SECOND_US, Instant
from blur.errors import IdempotencyInProgressError
from blur.skew import CLOCK_SKEW_S

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore

DAY_S = 24 * 3_600


def test_a_retry_takes_over_the_idempotency_record_of_an_unfinished_call_after_the_hold_expires(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=2)
    died = customer.hold()
    started = begin(store, died, FORM, now_us=START)
    with pytest.raises(IdempotencyInProgressError) as caught:
        begin(store, customer.hold(now_us=after(1)), FORM, now_us=after(1))
    assert caught.value.account_status is not None
    assert caught.value.account_status.credits_left == 1
    late_us = Instant(died.expires_us + 10 * SECOND_US)
    taken = begin(store, customer.hold(now_us=late_us), FORM, now_us=late_us)
    assert idempotency.commit(store, taken, now_us=late_us).credits_charged == 1
    assert idempotency.commit(store, started, now_us=late_us).credits_charged == 0
    account = store.read_account(customer.account_id, now_us=late_us)
    assert (account.balance, account.held, account.used) == (1, 0, 1)


@pytest.mark.parametrize("skew_s", [-CLOCK_SKEW_S, -2.5, 2.5, CLOCK_SKEW_S])
def test_a_short_hold_is_charged_once_by_two_machines_whose_clocks_differ(
    store: AccountStore, make_account: MakeAccount, skew_s: float
) -> None:
    customer = make_account(credits=10)
    hold_us = 3 * SECOND_US
    first = begin(store, customer.hold(ttl_us=hold_us), FORM, now_us=START)
    for seconds in (0.5, 1, 1.5):
        with pytest.raises(IdempotencyInProgressError):
            begin(
                store,
                customer.hold(ttl_us=hold_us, now_us=after(seconds + skew_s)),
                FORM,
                now_us=after(seconds + skew_s),
            )
    assert idempotency.commit(store, first, now_us=after(2)).credits_charged == 1
    replay = begin(
        store, customer.hold(now_us=after(2.5 + skew_s)), FORM, now_us=after(2.5 + skew_s)
    )
    assert idempotency.commit(store, replay, now_us=after(3 + skew_s)).credits_charged == 0
    account = store.read_account(customer.account_id, now_us=after(100))
    assert (account.balance, account.held, account.used) == (9, 0, 1)


@given(st.floats(-7200, 7200), st.floats(0, 120), st.floats(0, 120))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_call_with_an_idempotency_key_is_charged_at_most_once_for_any_clock_difference(
    store: AccountStore, make_account: MakeAccount, skew_s: float, retry_s: float, took_s: float
) -> None:
    customer = make_account(credits=10)
    first = begin(store, customer.hold(), FORM, now_us=START)
    charged = 0
    with suppress(IdempotencyInProgressError):
        second = begin(
            store,
            customer.hold(now_us=after(retry_s + skew_s)),
            FORM,
            now_us=after(retry_s + skew_s),
        )
        status = idempotency.commit(store, second, now_us=after(retry_s + skew_s))
        charged += status.credits_charged or 0
    charged += idempotency.commit(store, first, now_us=after(took_s)).credits_charged or 0
    account = store.read_account(customer.account_id, now_us=after(10_000))
    assert account.used == charged <= 1
    assert (account.balance, account.held) == (10 - charged, 0)


def test_a_call_whose_idempotency_record_a_later_call_has_claimed_is_not_charged(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    first = begin(store, customer.hold(), FORM, now_us=START)
    second = begin(store, customer.hold(now_us=after(3_600)), FORM, now_us=after(3_600))
    status = idempotency.commit(store, first, now_us=after(1))
    assert status.credits_charged == 0
    assert idempotency.commit(store, second, now_us=after(3_601)).credits_charged == 1
    account = store.read_account(customer.account_id, now_us=after(3_602))
    assert (account.balance, account.held, account.used) == (9, 0, 1)


def test_an_idempotency_key_is_valid_for_a_day_plus_the_clock_skew(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account()
    started = begin(store, customer.hold(), FORM, now_us=START)
    idempotency.commit(store, started, now_us=after(1))
    last_us = Instant(after(DAY_S + CLOCK_SKEW_S) - 1)
    assert begin(store, customer.hold(now_us=last_us), FORM, now_us=last_us).is_replay
    later_us = after(DAY_S + CLOCK_SKEW_S)
    assert not begin(store, customer.hold(now_us=later_us), FORM, now_us=later_us).is_replay

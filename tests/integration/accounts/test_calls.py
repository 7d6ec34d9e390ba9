"""The credits of a call, from reserve to settle or refund, on every store."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.integration.accounts.customer import START, Customer, MakeAccount, after, take_hold

from blur.account_status import RateLimit
from blur.accounts.model import SECOND_US, Hold, Instant, Usage
from blur.credits import Credits

if TYPE_CHECKING:
    import pytest

    from blur.accounts.ports import AccountStore

JANUARY_ENDS_US = Instant(1_801_440_000 * SECOND_US)
TIGHT = RateLimit(per_minute=60, burst=2)


def balances(store: AccountStore, customer: Customer, seconds: float = 0) -> tuple[int, int, int]:
    account = store.read_account(customer.account_id, now_us=after(seconds))
    assert account.granted - account.used == account.balance + account.held
    return account.balance, account.held, account.used


def test_reserve_moves_the_price_from_the_balance_to_the_hold(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    status = store.reserve(customer.hold(3), now_us=START)
    assert (status.credits_charged, status.credits_left) == (3, 7)
    assert balances(store, customer) == (7, 3, 0)


def test_settled_hold_is_charged_and_its_call_is_counted_in_the_month(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    for price in (3, 0):
        hold = take_hold(store, customer, price, now_us=START)
        status = store.settle(hold, now_us=after(1))
        assert (status.credits_charged, status.credits_left) == (price, 7)
    assert balances(store, customer, 1) == (7, 0, 3)
    usage = store.read_account(customer.account_id, now_us=after(1)).usage
    assert usage == {"2027-01": Usage(2, Credits(3))}


def test_usage_is_counted_separately_for_each_month(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    a_month_s = 31 * 86_400
    for seconds in (0, a_month_s, a_month_s + 1):
        hold = take_hold(store, customer, now_us=after(seconds))
        store.settle(hold, now_us=after(seconds))
    usage = store.read_account(customer.account_id, now_us=after(a_month_s + 1)).usage
    assert usage == {"2027-01": Usage(1, Credits(1)), "2027-02": Usage(2, Credits(2))}


def test_months_are_in_utc_in_every_time_zone(
    store: AccountStore, make_account: MakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = make_account(credits=10)
    last_us = Instant(JANUARY_ENDS_US - 1)
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        for at_us in (last_us, JANUARY_ENDS_US):
            store.settle(take_hold(store, customer, now_us=at_us), now_us=at_us)
    finally:
        monkeypatch.undo()
        time.tzset()
    usage = store.read_account(customer.account_id, now_us=JANUARY_ENDS_US).usage
    assert usage == {"2027-01": Usage(1, Credits(1)), "2027-02": Usage(1, Credits(1))}


def test_refund_returns_the_credits_immediately_and_adds_no_usage(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    hold = take_hold(store, customer, 4, now_us=START)
    status = store.refund(hold, now_us=after(1))
    assert (status.credits_charged, status.credits_left) == (0, 10)
    assert balances(store, customer, 1) == (10, 0, 0)
    assert store.read_account(customer.account_id, now_us=after(1)).usage == {}


def test_a_repeated_reserve_creates_one_hold_and_counts_one_request(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10, limit=TIGHT)
    hold = customer.hold(3)
    first = store.reserve(hold, now_us=START)
    assert [store.reserve(hold, now_us=START) for _ in range(3)] == [first] * 3
    assert (first.credits_charged, first.rate.remaining) == (3, 1)
    assert balances(store, customer) == (7, 3, 0)


def test_repeated_reserve_of_the_last_credits_returns_the_same_account_status(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=3)
    hold = customer.hold(3)
    first = store.reserve(hold, now_us=START)
    assert store.reserve(hold, now_us=START) == first
    assert balances(store, customer) == (0, 3, 0)


def test_repeated_reserve_of_a_settled_hold_takes_no_credits(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    hold = take_hold(store, customer, 3, now_us=START)
    store.settle(hold, now_us=after(1))
    assert store.reserve(hold, now_us=after(2)).credits_charged == 3
    assert balances(store, customer, 2) == (7, 0, 3)


def test_repeated_reserve_of_a_refunded_hold_takes_no_credits(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    hold = take_hold(store, customer, 3, now_us=START)
    store.refund(hold, now_us=after(1))
    assert store.reserve(hold, now_us=after(2)).credits_charged == 3
    assert balances(store, customer, 2) == (10, 0, 0)


def test_settling_twice_charges_once_and_reports_the_same_charge(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    hold = take_hold(store, customer, 3, now_us=START)
    statuses = [store.settle(hold, now_us=after(1)) for _ in range(2)]
    assert [status.credits_charged for status in statuses] == [3, 3]
    assert balances(store, customer, 1) == (7, 0, 3)
    assert store.read_account(customer.account_id, now_us=after(1)).usage["2027-01"].calls == 1


def test_refunding_twice_returns_the_credits_once(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    hold = take_hold(store, customer, 3, now_us=START)
    assert [store.refund(hold, now_us=after(1)).credits_left for _ in range(2)] == [10, 10]
    assert balances(store, customer, 1) == (10, 0, 0)


def test_refund_of_a_settled_hold_returns_no_credits(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    hold = take_hold(store, customer, 3, now_us=START)
    store.settle(hold, now_us=after(1))
    assert store.refund(hold, now_us=after(1)).credits_left == 7
    assert balances(store, customer, 1) == (7, 0, 3)


def test_settle_of_a_refunded_hold_charges_no_credits(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    hold = take_hold(store, customer, 3, now_us=START)
    store.refund(hold, now_us=after(1))
    assert store.settle(hold, now_us=after(1)).credits_charged == 0
    assert balances(store, customer, 1) == (10, 0, 0)


def test_settling_or_refunding_an_unknown_hold_moves_no_credits(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    stray = Hold("hold_from_nowhere", customer.account_id, customer.digest, Credits(3), after(60))
    assert store.settle(stray, now_us=START).credits_charged == 0
    assert store.refund(stray, now_us=START).credits_left == 10
    assert balances(store, customer) == (10, 0, 0)


def test_a_free_call_needs_no_credits(store: AccountStore, make_account: MakeAccount) -> None:
    customer = make_account(credits=0)
    hold = take_hold(store, customer, 0, now_us=START)
    assert store.settle(hold, now_us=START).credits_charged == 0
    assert store.read_account(customer.account_id, now_us=START).usage == {
        "2027-01": Usage(1, Credits(0))
    }


def test_running_calls_are_settled_or_refunded_after_their_key_was_revoked(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    settled = take_hold(store, customer, 2, now_us=START)
    refunded = take_hold(store, customer, 3, now_us=START)
    store.revoke_key(customer.account_id, customer.digest)
    assert store.settle(settled, now_us=after(1)).credits_charged == 2
    assert store.refund(refunded, now_us=after(1)).credits_left == 8

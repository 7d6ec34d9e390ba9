"""Expired holds on every store: when they are released, and calls that end after the expiry."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START, TTL_US, MakeAccount, after, take_hold

from blur.errors import InsufficientCreditsError
from blur.skew import CLOCK_SKEW_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from blur.accounts.model import Hold
    from blur.accounts.ports import AccountStore

TTL_S = TTL_US / 1_000_000
LONG_AFTER_S = TTL_S + 30
"""A time after which every store releases a hold. A store waits 5 seconds after the hold's expiry,
because the servers' clocks can differ by 5 seconds."""


def test_reading_an_account_releases_an_expired_hold(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    store.reserve(customer.hold(3), now_us=START)
    before = store.read_account(customer.account_id, now_us=after(TTL_S - 0.000001))
    assert (before.balance, before.held) == (7, 3)
    released = store.read_account(customer.account_id, now_us=after(LONG_AFTER_S))
    assert (released.balance, released.held, released.used) == (10, 0, 0)


@pytest.mark.parametrize("first", ["read_account", "authorize"])
def test_an_expired_hold_is_released_5_seconds_after_its_expiry_and_never_again(
    store: AccountStore, make_account: MakeAccount, first: str
) -> None:
    customer = make_account(credits=10)
    store.reserve(customer.hold(3), now_us=START)
    end_us = after(TTL_S + CLOCK_SKEW_S)
    if first == "read_account":
        assert store.read_account(customer.account_id, now_us=end_us).balance == 10
    status = store.authorize(customer.account_id, customer.digest, now_us=end_us)
    assert status.credits_left == 10
    account = store.read_account(customer.account_id, now_us=after(LONG_AFTER_S))
    assert (account.balance, account.held) == (10, 0)


def test_the_credits_of_an_expired_hold_pay_for_the_next_call(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=3)
    store.reserve(customer.hold(3), now_us=START)
    with pytest.raises(InsufficientCreditsError):
        store.reserve(customer.hold(3, now_us=after(1)), now_us=after(1))
    hold = customer.hold(3, now_us=after(LONG_AFTER_S))
    assert store.reserve(hold, now_us=after(LONG_AFTER_S)).credits_left == 0


def test_get_account_releases_an_expired_hold(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=3)
    store.reserve(customer.hold(3), now_us=START)
    view = store.get_account(customer.account_id, customer.digest, now_us=after(LONG_AFTER_S))
    assert (view.account.balance, view.account.held) == (3, 0)


def test_the_end_of_another_call_releases_an_expired_hold(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    store.reserve(customer.hold(4), now_us=START)
    alive = take_hold(store, customer, 1, now_us=after(LONG_AFTER_S - 10))
    store.settle(alive, now_us=after(LONG_AFTER_S))
    account = store.read_account(customer.account_id, now_us=after(LONG_AFTER_S))
    assert (account.balance, account.held, account.used) == (9, 0, 1)


@pytest.mark.parametrize(("end", "left"), [("settle", 9), ("refund", 10)])
def test_status_at_the_end_of_a_call_includes_the_credits_of_released_holds(
    store: AccountStore, make_account: MakeAccount, end: str, left: int
) -> None:
    customer = make_account(credits=10)
    alive = take_hold(store, customer, 1, now_us=START, ttl_us=10 * TTL_US)
    store.reserve(customer.hold(4), now_us=START)
    status = getattr(store, end)(alive, now_us=after(LONG_AFTER_S))
    assert status.credits_left == left


@pytest.mark.parametrize("seconds", [TTL_S, TTL_S + 1, LONG_AFTER_S])
def test_settle_after_the_expiry_of_the_hold_charges_nothing(
    store: AccountStore, make_account: MakeAccount, seconds: float
) -> None:
    customer = make_account(credits=10)
    hold = take_hold(store, customer, 3, now_us=START)
    assert store.settle(hold, now_us=after(seconds)).credits_charged == 0
    account = store.read_account(customer.account_id, now_us=after(LONG_AFTER_S))
    assert (account.balance, account.held, account.used, account.usage) == (10, 0, 0, {})


def test_a_call_that_is_settled_in_the_last_microsecond_of_its_hold_is_charged(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    hold = take_hold(store, customer, 3, now_us=START)
    assert store.settle(hold, now_us=after(TTL_S - 0.000001)).credits_charged == 3
    account = store.read_account(customer.account_id, now_us=after(LONG_AFTER_S))
    assert (account.balance, account.held, account.used) == (7, 0, 3)


def test_a_late_settle_charges_nothing_if_the_released_credits_are_already_spent(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=3)
    late = take_hold(store, customer, 3, now_us=START)
    again = take_hold(store, customer, 3, now_us=after(LONG_AFTER_S))
    assert store.settle(again, now_us=after(LONG_AFTER_S)).credits_charged == 3
    status = store.settle(late, now_us=after(LONG_AFTER_S))
    assert (status.credits_charged, status.credits_left) == (0, 0)
    account = store.read_account(customer.account_id, now_us=after(LONG_AFTER_S))
    assert (account.balance, account.held, account.used) == (0, 0, 3)


@pytest.mark.parametrize("seconds", [TTL_S, LONG_AFTER_S])
def test_a_refund_after_the_expiry_returns_the_credits_once(
    store: AccountStore, make_account: MakeAccount, seconds: float
) -> None:
    customer = make_account(credits=10)
    hold = take_hold(store, customer, 3, now_us=START)
    for _ in range(2):
        store.refund(hold, now_us=after(seconds))
        store.read_account(customer.account_id, now_us=after(LONG_AFTER_S))
    account = store.read_account(customer.account_id, now_us=after(LONG_AFTER_S))
    assert (account.balance, account.held, account.used) == (10, 0, 0)


def test_expiry_of_a_settled_or_refunded_hold_moves_no_credits(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    settled = take_hold(store, customer, 3, now_us=START)
    store.settle(settled, now_us=after(1))
    refunded = take_hold(store, customer, 4, now_us=START)
    store.refund(refunded, now_us=after(1))
    for _ in range(2):
        account = store.read_account(customer.account_id, now_us=after(LONG_AFTER_S))
        assert (account.balance, account.held, account.used) == (7, 0, 3)


def test_concurrent_uses_of_an_account_release_each_expired_hold_once(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=12)
    holds = [take_hold(store, customer, 3, now_us=START) for _ in range(4)]
    now_us = after(LONG_AFTER_S)

    def use(number: int) -> None:
        hold: Hold = holds[number % 4]
        uses: list[Callable[[], object]] = [
            lambda: store.read_account(customer.account_id, now_us=now_us),
            lambda: store.get_account(customer.account_id, customer.digest, now_us=now_us),
            lambda: store.settle(hold, now_us=now_us),
            lambda: store.refund(hold, now_us=now_us),
        ]
        uses[number // 4 % 4]()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(use, range(32)))
    account = store.read_account(customer.account_id, now_us=now_us)
    assert (account.balance, account.held, account.used) == (12, 0, 0)

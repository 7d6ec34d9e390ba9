"""What the request path promises, on every store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START, Customer, MakeAccount, after

from blur.accounts.model import Hold, RateLimit, Usage
from blur.errors import InsufficientCreditsError, InvalidApiKeyError, RateLimitError

if TYPE_CHECKING:
    from blur.accounts.store import AccountStore

TIGHT = RateLimit(per_minute=60, burst=2)


def balances(store: AccountStore, customer: Customer, seconds: float = 0) -> tuple[int, int, int]:
    account = store.account(customer.account_id, now_us=after(seconds))
    assert account.granted - account.used == account.balance + account.held
    return account.balance, account.held, account.used


def test_a_reserve_takes_its_price_out_of_the_balance(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    claim = customer.claim(3)
    reservation = store.reserve(claim, now_us=START)
    assert reservation.hold.hold_id == claim.hold_id
    assert reservation.hold.expires_us == START + claim.hold_ttl_us
    assert reservation.hold.price == reservation.standing.credits_charged == 3
    assert reservation.standing.credits_left == 7
    assert balances(store, customer) == (7, 3, 0)


def test_a_settled_hold_is_charged_and_counted_in_its_month(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    for price in (3, 0):
        hold = store.reserve(customer.claim(price), now_us=START).hold
        standing = store.settle(hold, now_us=after(1))
        assert (standing.credits_charged, standing.credits_left) == (price, 7)
    assert balances(store, customer, 1) == (7, 0, 3)
    usage = store.account(customer.account_id, now_us=after(1)).usage
    assert usage == {"2027-01": Usage(calls=2, credits=3)}


def test_a_new_month_is_counted_apart(store: AccountStore, make_account: MakeAccount) -> None:
    customer = make_account(credits=10)
    a_month_s = 31 * 86_400
    for seconds in (0, a_month_s, a_month_s + 1):
        hold = store.reserve(customer.claim(), now_us=after(seconds)).hold
        store.settle(hold, now_us=after(seconds))
    usage = store.account(customer.account_id, now_us=after(a_month_s + 1)).usage
    assert usage == {"2027-01": Usage(1, 1), "2027-02": Usage(2, 2)}


def test_a_refund_gives_the_credit_back_at_once_and_counts_no_call(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    hold = store.reserve(customer.claim(4), now_us=START).hold
    standing = store.refund(hold, now_us=after(1))
    assert (standing.credits_charged, standing.credits_left) == (0, 10)
    assert balances(store, customer, 1) == (10, 0, 0)
    assert store.account(customer.account_id, now_us=after(1)).usage == {}


def test_a_repeated_reserve_takes_and_counts_once(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10, limit=TIGHT)
    claim = customer.claim(3)
    first = store.reserve(claim, now_us=START)
    again = [store.reserve(claim, now_us=START) for _ in range(3)]
    assert [repeated.hold for repeated in again] == [first.hold] * 3
    assert again[0].standing.rate.remaining == first.standing.rate.remaining == 1
    assert balances(store, customer) == (7, 3, 0)


def test_a_reserve_repeated_with_the_last_credit_gone_finds_its_hold(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=3)
    claim = customer.claim(3)
    first = store.reserve(claim, now_us=START)
    assert store.reserve(claim, now_us=START).hold == first.hold


def test_a_reserve_repeated_after_its_settle_takes_nothing(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    claim = customer.claim(3)
    hold = store.reserve(claim, now_us=START).hold
    store.settle(hold, now_us=after(1))
    assert store.reserve(claim, now_us=after(2)).hold.hold_id == hold.hold_id
    assert balances(store, customer, 2) == (7, 0, 3)


def test_a_reserve_repeated_after_its_refund_takes_nothing(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    claim = customer.claim(3)
    hold = store.reserve(claim, now_us=START).hold
    store.refund(hold, now_us=after(1))
    assert store.reserve(claim, now_us=after(2)).hold.hold_id == hold.hold_id
    assert balances(store, customer, 2) == (10, 0, 0)


def test_settling_twice_charges_once_and_says_the_same(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    hold = store.reserve(customer.claim(3), now_us=START).hold
    standings = [store.settle(hold, now_us=after(1)) for _ in range(2)]
    assert [standing.credits_charged for standing in standings] == [3, 3]
    assert balances(store, customer, 1) == (7, 0, 3)
    assert store.account(customer.account_id, now_us=after(1)).usage["2027-01"].calls == 1


def test_refunding_twice_gives_back_once(store: AccountStore, make_account: MakeAccount) -> None:
    customer = make_account(credits=10)
    hold = store.reserve(customer.claim(3), now_us=START).hold
    assert [store.refund(hold, now_us=after(1)).credits_left for _ in range(2)] == [10, 10]
    assert balances(store, customer, 1) == (10, 0, 0)


def test_a_refund_after_the_settle_gives_nothing_back(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    hold = store.reserve(customer.claim(3), now_us=START).hold
    store.settle(hold, now_us=after(1))
    assert store.refund(hold, now_us=after(1)).credits_left == 7
    assert balances(store, customer, 1) == (7, 0, 3)


def test_a_settle_after_the_refund_charges_nothing(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    hold = store.reserve(customer.claim(3), now_us=START).hold
    store.refund(hold, now_us=after(1))
    assert store.settle(hold, now_us=after(1)).credits_charged == 0
    assert balances(store, customer, 1) == (10, 0, 0)


def test_ending_a_call_that_never_began_moves_nothing(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    stray = Hold("hold_from_nowhere", customer.account_id, customer.digest, 3, after(60))
    assert store.settle(stray, now_us=START).credits_charged == 0
    assert store.refund(stray, now_us=START).credits_left == 10
    assert balances(store, customer) == (10, 0, 0)


def test_a_balance_that_does_not_cover_the_price_is_refused_and_not_counted(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=2, limit=TIGHT)
    for _ in range(5):
        with pytest.raises(InsufficientCreditsError) as refusal:
            store.reserve(customer.claim(3), now_us=START)
        standing = refusal.value.standing
        assert standing is not None
        assert (standing.credits_charged, standing.credits_left) == (0, 2)
        assert standing.rate.remaining == TIGHT.burst
    assert balances(store, customer) == (2, 0, 0)
    assert store.reserve(customer.claim(2), now_us=START).standing.rate.remaining == 1


def test_a_call_that_costs_nothing_needs_no_credits(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=0)
    hold = store.reserve(customer.claim(0), now_us=START).hold
    assert store.settle(hold, now_us=START).credits_charged == 0
    assert store.account(customer.account_id, now_us=START).usage == {"2027-01": Usage(1, 0)}


def test_the_rate_limit_refuses_with_a_wait_that_is_true(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10, limit=RateLimit(per_minute=40, burst=2))
    for remaining in (1, 0):
        standing = store.reserve(customer.claim(), now_us=START).standing
        assert standing.rate.remaining == remaining
    with pytest.raises(RateLimitError) as refusal:
        store.reserve(customer.claim(), now_us=after(0.2))
    assert refusal.value.retry_after_s == 2
    refused = refusal.value.standing
    assert refused is not None
    assert (refused.credits_charged, refused.credits_left) == (0, 8)
    assert (refused.rate.remaining, standing.rate.reset_s) == (0, 3)
    assert store.reserve(customer.claim(), now_us=after(2.2)).standing.credits_left == 7


def test_an_admitted_request_is_counted_and_costs_nothing(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10, limit=TIGHT)
    standing = store.admit(customer.account_id, customer.digest, now_us=START)
    assert (standing.credits_charged, standing.credits_left) == (0, 10)
    assert standing.rate.remaining == 1
    store.admit(customer.account_id, customer.digest, now_us=START)
    with pytest.raises(RateLimitError) as refusal:
        store.admit(customer.account_id, customer.digest, now_us=START)
    assert refusal.value.retry_after_s == 1


def test_an_invalid_key_comes_before_a_used_up_limit_and_that_before_an_empty_balance(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=1, limit=RateLimit(per_minute=1, burst=1))
    store.reserve(customer.claim(1), now_us=START)
    with pytest.raises(RateLimitError):
        store.reserve(customer.claim(1), now_us=START)
    with pytest.raises(InsufficientCreditsError):
        store.reserve(customer.claim(9), now_us=after(60))
    store.revoke_key(customer.account_id, customer.digest)
    with pytest.raises(InvalidApiKeyError):
        store.reserve(customer.claim(1), now_us=START)


@pytest.mark.parametrize("wrong", ["account", "key", "both", "another's"])
def test_an_unknown_key_is_refused_by_every_call(
    store: AccountStore, make_account: MakeAccount, wrong: str
) -> None:
    customer, other = make_account(), make_account()
    stranger = {
        "account": replace(customer, account_id="000000000000"),
        "key": replace(customer, digest="0" * 64),
        "both": Customer("000000000000", "0" * 64),
        "another's": replace(customer, digest=other.digest),
    }[wrong]
    with pytest.raises(InvalidApiKeyError):
        store.reserve(stranger.claim(), now_us=START)
    with pytest.raises(InvalidApiKeyError):
        store.admit(stranger.account_id, stranger.digest, now_us=START)
    with pytest.raises(InvalidApiKeyError):
        store.inquire(stranger.account_id, stranger.digest, now_us=START)


def test_a_key_is_valid_until_the_instant_it_expires(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(expires_us=after(10))
    store.admit(customer.account_id, customer.digest, now_us=after(9.999999))
    with pytest.raises(InvalidApiKeyError):
        store.admit(customer.account_id, customer.digest, now_us=after(10))


def test_a_call_in_flight_settles_after_its_key_was_revoked(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10)
    settled = store.reserve(customer.claim(2), now_us=START).hold
    refunded = store.reserve(customer.claim(3), now_us=START).hold
    store.revoke_key(customer.account_id, customer.digest)
    assert store.settle(settled, now_us=after(1)).credits_charged == 2
    assert store.refund(refunded, now_us=after(1)).credits_left == 8


def test_an_inquiry_shows_the_account_and_the_key_that_asks(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10, limit=TIGHT)
    store.reserve(customer.claim(4), now_us=START)
    view = store.inquire(customer.account_id, customer.digest, now_us=START)
    assert (view.account.balance, view.account.held) == (6, 4)
    assert view.key.digest == customer.digest
    assert view.key in view.account.keys
    assert view.rate.limit == TIGHT


def test_inquiries_and_calls_are_limited_apart(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10, limit=TIGHT)
    for remaining in (1, 0):
        view = store.inquire(customer.account_id, customer.digest, now_us=START)
        assert view.rate.remaining == remaining
    with pytest.raises(RateLimitError) as refusal:
        store.inquire(customer.account_id, customer.digest, now_us=START)
    assert refusal.value.retry_after_s == 1
    assert store.reserve(customer.claim(), now_us=START).standing.rate.remaining == 1
    store.inquire(customer.account_id, customer.digest, now_us=after(1))


def test_two_keys_of_an_account_share_its_credits_but_not_their_limits(
    store: AccountStore, make_account: MakeAccount
) -> None:
    from_one = make_account(credits=3, limit=TIGHT)
    account = store.account(from_one.account_id, now_us=START)
    second = replace(account.keys[0], digest="f" * 64)
    store.add_key(second, now_us=START)
    store.reserve(from_one.claim(), now_us=START)
    store.reserve(from_one.claim(), now_us=START)
    from_other = replace(from_one, digest=second.digest)
    assert store.reserve(from_other.claim(), now_us=START).standing.rate.remaining == 1
    with pytest.raises(InsufficientCreditsError):
        store.reserve(from_other.claim(), now_us=START)

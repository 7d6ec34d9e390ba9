"""Which requests each store accepts and rejects, and the order of the checks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START, Customer, MakeAccount, after

from blur.account_status import RateLimit
from blur.errors import (
    InsufficientCreditsError,
    InvalidApiKeyError,
    RateLimitError,
    UnavailableError,
)

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore

TIGHT = RateLimit(per_minute=60, burst=2)


def test_a_call_that_costs_more_than_the_balance_is_rejected_but_counts_towards_the_rate_limit(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=2, limit=TIGHT)
    for remaining in (1, 0):
        with pytest.raises(
            InsufficientCreditsError, match=r"costs 0\.75 credits; .* has 0\.5 left"
        ) as refusal:
            store.reserve(customer.hold(3), now_us=START)
        status = refusal.value.account_status
        assert status is not None
        assert (status.credits_charged, status.credits_left) == (0, 2)
        assert status.rate.remaining == remaining
    with pytest.raises(RateLimitError):
        store.reserve(customer.hold(3), now_us=START)
    assert store.read_account(customer.account_id, now_us=START).balance == 2
    assert store.reserve(customer.hold(2, now_us=after(1)), now_us=after(1)).rate.remaining == 0


def test_without_credits_calls_within_the_rate_limit_get_402_and_calls_over_it_get_429(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=0, limit=RateLimit(per_minute=1, burst=1))

    def refusal(_: int) -> type[Exception]:
        while True:
            try:
                store.reserve(customer.hold(), now_us=START)
            except UnavailableError:  # retry: there were too many concurrent writes
                continue
            except (InsufficientCreditsError, RateLimitError) as error:
                return type(error)

    with ThreadPoolExecutor(20) as pool:
        refusals = list(pool.map(refusal, range(60)))
    assert refusals.count(InsufficientCreditsError) == 1
    assert refusals.count(RateLimitError) == 59


def test_request_after_the_time_in_retry_after_is_accepted(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10, limit=RateLimit(per_minute=40, burst=2))
    for remaining in (1, 0):
        status = store.reserve(customer.hold(), now_us=START)
        assert status.rate.remaining == remaining
    with pytest.raises(RateLimitError, match=r"try again in 2 s\.") as refusal:
        store.reserve(customer.hold(now_us=after(0.2)), now_us=after(0.2))
    assert refusal.value.retry_after_s == 2
    refused = refusal.value.account_status
    assert refused is not None
    assert (refused.credits_charged, refused.credits_left) == (0, 8)
    assert (refused.rate.remaining, status.rate.reset_s) == (0, 3)
    assert store.reserve(customer.hold(now_us=after(2.2)), now_us=after(2.2)).credits_left == 7


def test_authorized_request_counts_towards_the_rate_limit_and_costs_nothing(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10, limit=TIGHT)
    status = store.authorize(customer.account_id, customer.digest, now_us=START)
    assert (status.credits_charged, status.credits_left) == (0, 10)
    assert status.rate.remaining == 1
    store.authorize(customer.account_id, customer.digest, now_us=START)
    with pytest.raises(RateLimitError) as refusal:
        store.authorize(customer.account_id, customer.digest, now_us=START)
    assert refusal.value.retry_after_s == 1


def test_errors_are_reported_in_the_order_key_then_rate_limit_then_balance(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=1, limit=RateLimit(per_minute=1, burst=1))
    store.reserve(customer.hold(1), now_us=START)
    with pytest.raises(RateLimitError):
        store.reserve(customer.hold(1), now_us=START)
    with pytest.raises(InsufficientCreditsError):
        store.reserve(customer.hold(9, now_us=after(60)), now_us=after(60))
    store.revoke_key(customer.account_id, customer.digest)
    with pytest.raises(InvalidApiKeyError):
        store.reserve(customer.hold(1), now_us=START)


@pytest.mark.parametrize("wrong", ["account", "key", "both", "another's"])
def test_reserve_authorize_and_get_account_reject_an_unknown_key(
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
        store.reserve(stranger.hold(), now_us=START)
    with pytest.raises(InvalidApiKeyError):
        store.authorize(stranger.account_id, stranger.digest, now_us=START)
    with pytest.raises(InvalidApiKeyError):
        store.get_account(stranger.account_id, stranger.digest, now_us=START)


def test_a_key_is_valid_until_its_expiry(store: AccountStore, make_account: MakeAccount) -> None:
    customer = make_account(expires_us=after(10))
    store.authorize(customer.account_id, customer.digest, now_us=after(9.999999))
    with pytest.raises(InvalidApiKeyError):
        store.authorize(customer.account_id, customer.digest, now_us=after(10))


def test_a_check_whether_a_key_is_valid_counts_no_request_and_detects_invalid_keys(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer, other = make_account(limit=TIGHT, expires_us=after(60)), make_account()
    before = store.authorize(customer.account_id, customer.digest, now_us=START).rate.remaining
    for _ in range(20):
        assert store.has_valid_key(customer.account_id, customer.digest, now_us=START)
    after_look_ups = store.authorize(customer.account_id, customer.digest, now_us=START).rate
    assert after_look_ups.remaining == before - 1
    assert not store.has_valid_key(customer.account_id, customer.digest, now_us=after(60))
    assert not store.has_valid_key(customer.account_id, other.digest, now_us=START)
    assert not store.has_valid_key("000000000000", customer.digest, now_us=START)
    store.revoke_key(other.account_id, other.digest)
    assert not store.has_valid_key(other.account_id, other.digest, now_us=START)


def test_get_account_returns_the_account_and_the_key(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10, limit=TIGHT)
    store.reserve(customer.hold(4), now_us=START)
    view = store.get_account(customer.account_id, customer.digest, now_us=START)
    assert (view.account.balance, view.account.held) == (6, 4)
    assert view.key.digest == customer.digest
    assert view.key in view.account.keys
    assert view.rate.limit == TIGHT


def test_get_account_requests_have_a_separate_rate_limit(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=10, limit=TIGHT)
    for remaining in (1, 0):
        view = store.get_account(customer.account_id, customer.digest, now_us=START)
        assert view.rate.remaining == remaining
    with pytest.raises(RateLimitError) as refusal:
        store.get_account(customer.account_id, customer.digest, now_us=START)
    assert refusal.value.retry_after_s == 1
    assert store.reserve(customer.hold(), now_us=START).rate.remaining == 1
    store.get_account(customer.account_id, customer.digest, now_us=after(1))


def test_a_get_account_request_counts_only_towards_the_rate_limit_of_its_key(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(limit=TIGHT)
    account = store.read_account(customer.account_id, now_us=START)
    store.add_key(replace(account.keys[0], digest="f" * 64), now_us=START)
    for _ in range(TIGHT.burst):
        store.get_account(customer.account_id, customer.digest, now_us=START)
    view = store.get_account(customer.account_id, "f" * 64, now_us=START)
    assert view.rate.remaining == TIGHT.burst - 1


def test_two_keys_of_an_account_share_credits_but_not_rate_limits(
    store: AccountStore, make_account: MakeAccount
) -> None:
    from_one = make_account(credits=3, limit=TIGHT)
    account = store.read_account(from_one.account_id, now_us=START)
    second = replace(account.keys[0], digest="f" * 64)
    store.add_key(second, now_us=START)
    store.reserve(from_one.hold(), now_us=START)
    store.reserve(from_one.hold(), now_us=START)
    from_other = replace(from_one, digest=second.digest)
    assert store.reserve(from_other.hold(), now_us=START).rate.remaining == 1
    with pytest.raises(InsufficientCreditsError):
        store.reserve(from_other.hold(), now_us=START)

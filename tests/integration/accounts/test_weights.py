"""The weight of calls, which the rate limit of their key counts, on every store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import (
    START,
    Customer,
    MakeAccount,
    after,
    begin,
    take_hold,
)
from tests.integration.accounts.idempotent_calls import FORM, Unreachable

from blur.account_status import RateLimit
from blur.accounts import idempotency
from blur.accounts.model import Weight
from blur.errors import RateLimitError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from blur.account_status import AccountStatus
    from blur.accounts.model import Hold
    from blur.accounts.ports import AccountStore

    End: TypeAlias = Callable[[AccountStore, Hold, Weight | None], AccountStatus]

LIMIT = RateLimit(per_minute=60, burst=10)
"""One request per second, with a burst of ten."""


def settle(store: AccountStore, hold: Hold, weight: Weight | None) -> AccountStatus:
    return store.settle(hold, now_us=START, weight=weight)


def refund(store: AccountStore, hold: Hold, weight: Weight | None) -> AccountStatus:
    return store.refund(hold, now_us=START, weight=weight)


def remaining(store: AccountStore, customer: Customer, seconds: float = 0) -> int:
    """Send one request; return how many more requests the rate limit allows now."""
    return store.authorize(
        customer.account_id, customer.digest, now_us=after(seconds)
    ).rate.remaining


@pytest.mark.parametrize("end", [settle, refund])
def test_settle_and_refund_count_a_call_with_its_weight(
    store: AccountStore, make_account: MakeAccount, end: End
) -> None:
    customer = make_account(credits=5, limit=LIMIT)
    hold = take_hold(store, customer, 2, now_us=START)
    status = end(store, hold, Weight(4, LIMIT))
    assert status.rate.remaining == 5
    assert (status.credits_charged, status.credits_left) == ((2, 3) if end is settle else (0, 5))
    assert remaining(store, customer) == 4
    assert remaining(store, customer, 3) == 6


@pytest.mark.parametrize("end", [settle, refund])
def test_a_call_without_a_weight_counts_as_one_request(
    store: AccountStore, make_account: MakeAccount, end: End
) -> None:
    customer = make_account(credits=5, limit=LIMIT)
    hold = take_hold(store, customer, now_us=START)
    assert end(store, hold, None).rate.remaining == 9


@pytest.mark.parametrize("end", [settle, refund])
def test_a_repeated_settle_or_refund_counts_the_weight_once(
    store: AccountStore, make_account: MakeAccount, end: End
) -> None:
    customer = make_account(credits=5, limit=LIMIT)
    hold = take_hold(store, customer, now_us=START)
    assert [end(store, hold, Weight(3, LIMIT)).rate.remaining for _ in range(3)] == [6, 6, 6]


def test_add_weight_counts_the_weight_of_a_call_without_a_hold(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=5, limit=LIMIT)
    store.authorize(customer.account_id, customer.digest, now_us=START)
    status = store.add_weight(customer.account_id, customer.digest, Weight(4, LIMIT), now_us=START)
    assert (status.credits_charged, status.credits_left, status.rate.remaining) == (0, 5, 5)


def test_sum_of_large_weights_is_limited_to_twice_the_burst(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=20, limit=LIMIT)
    holds = [take_hold(store, customer, now_us=START) for _ in range(10)]
    for hold, weight in zip(holds, (1, 6, 9, 1000, 1000, 7, 1, 3, 10**6, 1), strict=True):
        status = store.refund(hold, now_us=START, weight=Weight(weight, LIMIT))
    assert (status.rate.remaining, status.rate.reset_s) == (0, 20)
    status = store.add_weight(customer.account_id, customer.digest, Weight(9, LIMIT), now_us=START)
    assert (status.rate.remaining, status.rate.reset_s, status.credits_left) == (0, 20, 20)
    with pytest.raises(RateLimitError) as refusal:
        store.authorize(customer.account_id, customer.digest, now_us=START)
    assert refusal.value.retry_after_s == 11
    with pytest.raises(RateLimitError):
        store.authorize(customer.account_id, customer.digest, now_us=after(10.9))
    assert remaining(store, customer, 11) == 0


def test_the_weight_of_a_call_is_counted_at_the_time_when_the_call_started(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=5, limit=LIMIT)
    hold = take_hold(store, customer, now_us=START)
    status = store.refund(hold, now_us=after(8), weight=Weight(8, LIMIT))
    assert (status.rate.remaining, status.rate.reset_s) == (9, 1)


def test_a_rate_limit_that_was_changed_during_the_call_does_not_prevent_the_refund(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=5, limit=LIMIT)
    hold = take_hold(store, customer, 2, now_us=START)
    new = RateLimit(per_minute=6, burst=3)
    store.set_rate_limit(customer.account_id, customer.digest, new)
    status = store.refund(hold, now_us=START, weight=Weight(1000, LIMIT))
    assert (status.credits_left, status.rate.limit) == (5, new)
    account = store.read_account(customer.account_id, now_us=START)
    assert (account.balance, account.held) == (5, 0)


def test_settling_an_expired_hold_charges_nothing_and_does_not_count_the_weight(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=5, limit=LIMIT)
    hold = take_hold(store, customer, 2, now_us=START, ttl_us=3_000_000)
    status = store.settle(hold, now_us=hold.expires_us, weight=Weight(9, LIMIT))
    assert (status.credits_charged, status.credits_left) == (0, 5)
    assert status.rate.remaining == 10


def test_an_uncharged_call_with_an_idempotency_key_counts_with_its_weight(
    store: AccountStore, make_account: MakeAccount
) -> None:
    limit = RateLimit(per_minute=60, burst=20)
    weight = Weight(4, limit)
    customer = make_account(credits=5, limit=limit)
    failed = begin(store, customer.hold(), FORM, now_us=START)
    status = idempotency.rollback(store, failed, now_us=START, weight=weight)
    assert status.rate.remaining == 15
    charged = begin(store, customer.hold(), FORM, now_us=START)
    assert idempotency.commit(store, charged, now_us=START).rate.remaining == 14
    for end, remaining in ((idempotency.commit, 9), (idempotency.rollback, 4)):
        replay = begin(store, customer.hold(), FORM, now_us=START)
        assert end(store, replay, now_us=START, weight=weight).rate.remaining == remaining
    replay = begin(store, customer.hold(), FORM, now_us=START)
    out = Unreachable(store, "add_weight")
    assert idempotency.commit(out, replay, now_us=START, weight=weight) == replay.status


def test_the_weight_is_counted_for_free_calls_and_for_calls_whose_record_was_released(
    store: AccountStore, make_account: MakeAccount
) -> None:
    limit = RateLimit(per_minute=60, burst=20)
    weight = Weight(4, limit)
    customer = make_account(credits=5, limit=limit)
    free = begin(store, customer.hold(0), None, now_us=START)
    assert idempotency.commit(store, free, now_us=START, weight=weight).rate.remaining == 15
    first = begin(store, customer.hold(), FORM, now_us=START)
    assert first.record is not None
    store.release_record(first.record)
    status = idempotency.commit(store, first, now_us=START, weight=weight)
    assert (status.credits_charged, status.rate.remaining) == (0, 10)

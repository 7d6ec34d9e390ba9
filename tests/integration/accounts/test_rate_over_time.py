"""The rate limit of every store, over simulated time."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.accounts.customer import START, Customer, MakeAccount, after

from blur.account_status import RateLimit
from blur.accounts.connect import open_account_store
from blur.accounts.model import SECOND_US, Instant
from blur.errors import RateLimitError

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore

MINUTE_US = 60 * SECOND_US
on_a_store = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def refusal(store: AccountStore, customer: Customer, now_us: Instant) -> int | None:
    """Send one request; return the seconds to wait if the request is rejected, otherwise None."""
    try:
        store.reserve(customer.hold(0, ttl_us=SECOND_US, now_us=now_us), now_us=now_us)
    except RateLimitError as error:
        return error.retry_after_s
    return None


def test_of_300_requests_in_600_seconds_the_204_that_the_rate_limit_allows_are_accepted(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=0, limit=RateLimit(per_minute=20, burst=5))
    arrivals = [after(seconds) for seconds in range(0, 600, 2)]
    granted = sum(refusal(store, customer, now_us) is None for now_us in arrivals)
    # 20 requests per minute until the last request at 598 s, and the burst of 5:
    # 20 * 598 / 60 + 5 = 204.3.
    assert granted == 204


@on_a_store
@given(
    st.builds(RateLimit, per_minute=st.integers(1, 600), burst=st.integers(1, 8)),
    st.lists(st.integers(0, 20 * SECOND_US) | st.integers(0, 200_000), max_size=40),
)
def test_no_pattern_of_requests_exceeds_the_rate_limit_times_the_elapsed_time_plus_the_burst(
    store: AccountStore, make_account: MakeAccount, limit: RateLimit, gaps_us: list[int]
) -> None:
    customer = make_account(credits=0, limit=limit)
    now_us, granted = START, list[Instant]()
    for gap_us in gaps_us:
        now_us = Instant(now_us + gap_us)
        if refusal(store, customer, now_us) is None:
            granted.append(now_us)
    for first, began_us in enumerate(granted):
        for last in range(first, len(granted)):
            minutes = (granted[last] - began_us) / MINUTE_US
            assert last - first + 1 <= limit.per_minute * minutes + limit.burst


@on_a_store
@given(
    st.builds(RateLimit, per_minute=st.integers(1, 600), burst=st.integers(1, 4)),
    st.lists(st.integers(0, 3 * SECOND_US), max_size=20),
)
def test_a_client_that_waits_for_the_seconds_in_retry_after_is_accepted(
    store: AccountStore, make_account: MakeAccount, limit: RateLimit, gaps_us: list[int]
) -> None:
    customer = make_account(credits=0, limit=limit)
    now_us = START
    for gap_us in gaps_us:
        now_us = Instant(now_us + gap_us)
        retry_after_s = refusal(store, customer, now_us)
        if retry_after_s is not None:
            now_us = Instant(now_us + retry_after_s * SECOND_US)
            assert refusal(store, customer, now_us) is None


def test_after_a_clock_is_set_back_an_hour_the_burst_and_then_one_request_per_interval_are_accepted(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=0, limit=RateLimit(per_minute=6, burst=3))
    assert refusal(store, customer, after(3_600)) is None
    waits = [refusal(store, customer, after(at)) for at in (0, 0, 0, 1, 15, 16)]
    assert [wait is None for wait in waits] == [True, True, False, False, True, False]


@pytest.mark.parametrize("skew_s", [-86_400, -30, -1, 1, 30, 86_400])
def test_two_servers_whose_clocks_differ_share_one_limit(
    store: AccountStore, location: str, make_account: MakeAccount, skew_s: float
) -> None:
    customer = make_account(credits=0, limit=RateLimit(per_minute=6, burst=2))
    other = open_account_store(location)
    chance, granted = Random(0), {store: 0, other: 0}
    arrivals = sorted(chance.uniform(0, 300) for _ in range(120))
    for seconds in arrivals:
        server = chance.choice([store, other])
        now_us = after(seconds + (skew_s if server is other else 0))
        granted[server] += refusal(server, customer, now_us) is None
    other.close()
    # At most 30 requests in 300 s, a burst of 2 at the start, and a burst of 2 when the server
    # with the faster clock gets its first request. The last 1 is a tolerance.
    assert 27 <= sum(granted.values()) <= 30 + 2 + 2 + 1
    assert min(granted.values()) >= sum(granted.values()) / 4

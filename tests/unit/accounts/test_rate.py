"""The rate limit: accepted and rejected requests, the status of a key, and weights."""

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.accounts.arrivals import IDLE, START, accepted, arrivals_of, gaps, limits

from blur.account_status import RateLimit
from blur.accounts import rate
from blur.accounts.model import SECOND_US, Instant
from blur.accounts.rate import Bucket, Refusal


@given(limits, st.lists(gaps, max_size=200))
def test_in_any_n_minutes_at_most_n_times_the_limit_per_minute_plus_the_burst_are_accepted(
    limit: RateLimit, gaps_us: list[int]
) -> None:
    granted = accepted(limit, arrivals_of(gaps_us))
    for first, began_us in enumerate(granted):
        for last in range(first, len(granted)):
            minutes = (granted[last] - began_us) / rate.MINUTE_US
            assert last - first + 1 <= limit.per_minute * minutes + limit.burst


@given(st.builds(RateLimit, st.integers(60, 1_000), st.integers(1, 100)), st.integers(0, 999_999))
def test_a_fast_client_gets_at_least_75_percent_of_the_limit_and_at_most_the_limit_plus_the_burst(
    limit: RateLimit, phase: int
) -> None:
    interval_us = rate.interval_us(limit)
    every_us = max(1, interval_us // 3)
    arrivals = [Instant(START + phase + at) for at in range(0, 60 * SECOND_US, every_us)]
    granted = len(accepted(limit, arrivals))
    earned = limit.per_minute + limit.burst
    assert granted <= earned
    # A request arrives at most a third of an interval after the limit allows it.
    assert granted >= min(len(arrivals), limit.per_minute * 3 // 4)


@given(limits, st.lists(gaps, max_size=100))
def test_a_client_that_waits_for_the_seconds_in_retry_after_is_accepted(
    limit: RateLimit, gaps_us: list[int]
) -> None:
    bucket, now_us = IDLE, START
    for gap_us in gaps_us:
        now_us = Instant(now_us + gap_us)
        after = rate.count_request(bucket, limit, now_us)
        if isinstance(after, Refusal):
            assert after.retry_after_s >= 1
            now_us = Instant(now_us + after.retry_after_s * SECOND_US)
            after = rate.count_request(bucket, limit, now_us)
        assert isinstance(after, Bucket)
        bucket = after


@given(limits, st.lists(gaps, max_size=100))
def test_no_request_is_accepted_a_second_or_more_before_the_time_in_retry_after(
    limit: RateLimit, gaps_us: list[int]
) -> None:
    bucket = IDLE
    for now_us in arrivals_of(gaps_us):
        after = rate.count_request(bucket, limit, now_us)
        if isinstance(after, Bucket):
            bucket = after
        elif after.retry_after_s > 1:
            sooner = Instant(now_us + (after.retry_after_s - 1) * SECOND_US)
            assert isinstance(rate.count_request(bucket, limit, sooner), Refusal)


@given(limits, st.lists(gaps, max_size=60))
def test_the_rate_limit_accepts_exactly_the_number_of_remaining_requests_in_its_status(
    limit: RateLimit, gaps_us: list[int]
) -> None:
    bucket, now_us = IDLE, START
    for now_us in arrivals_of(gaps_us):
        after = rate.count_request(bucket, limit, now_us)
        bucket = after if isinstance(after, Bucket) else bucket
    remaining = rate.rate_limit_status(bucket, limit, now_us).remaining
    assert 0 <= remaining <= limit.burst
    for _ in range(remaining):
        after = rate.count_request(bucket, limit, now_us)
        assert isinstance(after, Bucket)
        bucket = after
    assert isinstance(rate.count_request(bucket, limit, now_us), Refusal)
    assert rate.rate_limit_status(bucket, limit, now_us).remaining == 0


@given(limits, st.lists(gaps, max_size=60))
def test_the_whole_burst_is_available_after_the_reset_and_not_a_second_earlier(
    limit: RateLimit, gaps_us: list[int]
) -> None:
    bucket, now_us = IDLE, START
    for now_us in arrivals_of(gaps_us):
        after = rate.count_request(bucket, limit, now_us)
        bucket = after if isinstance(after, Bucket) else bucket
    reset_s = rate.rate_limit_status(bucket, limit, now_us).reset_s
    later = Instant(now_us + reset_s * SECOND_US)
    assert rate.rate_limit_status(bucket, limit, later).remaining == limit.burst
    if reset_s > 0:
        sooner = Instant(later - SECOND_US)
        assert rate.rate_limit_status(bucket, limit, sooner).remaining < limit.burst


@given(limits, st.lists(gaps, max_size=60))
def test_if_the_burst_is_n_then_allow_us_is_n_minus_1_intervals_earlier_than_tat_us(
    limit: RateLimit, gaps_us: list[int]
) -> None:
    bucket = IDLE
    for now_us in arrivals_of(gaps_us):
        after = rate.count_request(bucket, limit, now_us)
        bucket = after if isinstance(after, Bucket) else bucket
        assert bucket.allow_us == bucket.tat_us - (limit.burst - 1) * rate.interval_us(limit)


def test_an_interval_is_rounded_up_to_a_whole_microsecond() -> None:
    assert rate.interval_us(RateLimit(7, 1)) == 8_571_429
    assert rate.interval_us(RateLimit(60, 1)) == SECOND_US


def test_an_idle_key_can_send_its_burst_and_then_one_request_per_interval() -> None:
    limit = RateLimit(per_minute=60, burst=3)
    seconds = [0, 0, 0, 0, 0.9, 1, 1.5, 2]
    granted = accepted(limit, [Instant(START + int(at * SECOND_US)) for at in seconds])
    assert [(at - START) / SECOND_US for at in granted] == [0, 0, 0, 1, 2]


def test_the_status_contains_the_limit_whether_the_key_is_idle_or_busy() -> None:
    limit = RateLimit(per_minute=60, burst=10)
    busy = rate.count_request(IDLE, limit, START)
    assert isinstance(busy, Bucket)
    assert rate.rate_limit_status(IDLE, limit, START).limit == limit
    assert rate.rate_limit_status(busy, limit, START).limit == limit


@given(limits, st.lists(gaps, max_size=60), st.lists(st.integers(0, 1_000), max_size=20))
def test_weights_of_uncharged_calls_delay_a_request_by_at_most_the_time_that_refills_two_bursts(
    limit: RateLimit, gaps_us: list[int], weights: list[int]
) -> None:
    bucket, now_us = IDLE, START
    for now_us in arrivals_of(gaps_us):
        after = rate.count_request(bucket, limit, now_us)
        bucket = after if isinstance(after, Bucket) else bucket
    for weight in weights:
        heavier = rate.add_weight(bucket, limit, weight, now_us)
        assert heavier.tat_us >= bucket.tat_us
        assert heavier.tat_us - heavier.allow_us == bucket.tat_us - bucket.allow_us
        bucket = heavier
        assert bucket.tat_us <= now_us + rate.max_ahead_us(limit)


@given(limits, st.integers(1, 20), st.integers(0, 20))
def test_a_weight_of_n_counts_like_n_requests(limit: RateLimit, sent: int, weight: int) -> None:
    def bucket_after(requests: int) -> Bucket:
        bucket = IDLE
        for _ in range(requests):
            after = rate.count_request(bucket, limit, START)
            assert isinstance(after, Bucket)
            bucket = after
        return bucket

    sent = min(sent, limit.burst)
    weight = min(weight, limit.burst - sent)
    assert rate.add_weight(bucket_after(sent), limit, weight, START) == bucket_after(sent + weight)

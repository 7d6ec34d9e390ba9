"""The rate limit on machines whose clocks differ or are set back."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.accounts.arrivals import IDLE, START, accepted, limits

from blur.account_status import RateLimit
from blur.accounts import rate
from blur.accounts.model import SECOND_US, Instant
from blur.accounts.rate import Bucket, Refusal


@given(limits, st.integers(1, 10 * 365 * 86_400))
def test_after_a_clock_is_set_back_a_request_is_accepted_within_one_interval(
    limit: RateLimit, back_s: int
) -> None:
    bucket = IDLE
    for _ in range(limit.burst):
        after = rate.count_request(bucket, limit, START)
        assert isinstance(after, Bucket)
        bucket = after
    machine = Machine(Instant(START - back_s * SECOND_US))
    assert isinstance(machine.request(bucket, limit), Refusal)
    machine.passes(rate.interval_us(limit))
    assert isinstance(machine.request(bucket, limit), Bucket)


@given(limits, st.integers(1, 10 * 365 * 86_400))
def test_no_additional_request_is_accepted_after_a_clock_is_set_back(
    limit: RateLimit, back_s: int
) -> None:
    arrivals = [START] * limit.burst + [Instant(START - back_s * SECOND_US)] * (limit.burst + 5)
    assert len(accepted(limit, arrivals)) == limit.burst


class Machine:
    """A machine with its own clock. Two machines count the requests of one key in one `Bucket`."""

    def __init__(self, now_us: Instant) -> None:
        self.now_us = now_us
        self._passed_us = 0
        self._clock = rate.LimiterClock(ticks=lambda: self._passed_us / SECOND_US)

    def passes(self, duration_us: int) -> None:
        self.now_us = Instant(self.now_us + duration_us)
        self._passed_us += duration_us

    def request(self, bucket: Bucket, limit: RateLimit) -> Bucket | Refusal:
        limiter = self._clock.start(self.now_us)
        return rate.count_request(bucket, limit, limiter.us(bucket))


SKEWS_US = [0, 1_000, SECOND_US, 5 * SECOND_US, 30 * SECOND_US, 86_400 * SECOND_US]
small_limits = st.builds(RateLimit, per_minute=st.integers(1, 600), burst=st.integers(1, 5))


@given(
    small_limits,
    st.sampled_from(SKEWS_US),
    st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=200),
)
def test_the_difference_between_two_clocks_allows_additional_requests_only_once(
    limit: RateLimit, skew_us: int, arrivals: list[tuple[bool, float]]
) -> None:
    interval_us, bucket, granted, passed_us = rate.interval_us(limit), IDLE, 0, 0
    slow, fast = Machine(START), Machine(Instant(START + skew_us))
    for is_fast, intervals in arrivals:
        duration_us = round(intervals * interval_us)
        passed_us += duration_us
        for machine in (slow, fast):
            machine.passes(duration_us)
        after = (fast if is_fast else slow).request(bucket, limit)
        if isinstance(after, Bucket):
            bucket, granted = after, granted + 1
    step = min(limit.burst, skew_us / interval_us)
    assert granted <= passed_us / interval_us + limit.burst + step + 1


@given(small_limits, st.sampled_from(SKEWS_US), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_each_of_two_machines_accepts_at_least_a_quarter_of_all_accepted_requests(
    limit: RateLimit, skew_us: int, seed: int
) -> None:
    chance, interval_us, bucket = Random(seed), rate.interval_us(limit), IDLE
    machines = [Machine(START), Machine(Instant(START + skew_us))]
    granted = [0, 0]
    for _ in range(1_200):
        duration_us = round(chance.expovariate(6) * interval_us)
        for machine in machines:
            machine.passes(duration_us)
        number = chance.randrange(2)
        after = machines[number].request(bucket, limit)
        if isinstance(after, Bucket):
            bucket = after
            granted[number] += 1
    assert min(granted) >= sum(granted) / 4

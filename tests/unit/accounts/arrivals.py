"""Random rate limits, arrival times of requests, and the requests that a rate limit accepts."""

from hypothesis import strategies as st

from blur.account_status import RateLimit
from blur.accounts import rate
from blur.accounts.model import SECOND_US, Instant
from blur.accounts.rate import Bucket

START = Instant(1_800_000_000 * SECOND_US)
TEN_MINUTES_US = 600 * SECOND_US
IDLE = Bucket(0, 0)
limits = st.builds(RateLimit, per_minute=st.integers(1, 5_000), burst=st.integers(1, 500))
gaps = st.one_of(
    st.just(0),
    st.integers(0, 1_000),
    st.integers(0, 2 * SECOND_US),
    st.integers(0, 60 * SECOND_US),
)


def accepted(limit: RateLimit, arrivals: list[Instant]) -> list[Instant]:
    """Return the arrivals that the limit accepts."""
    bucket, granted = IDLE, []
    for now_us in arrivals:
        after = rate.count_request(bucket, limit, now_us)
        if isinstance(after, Bucket):
            bucket = after
            granted.append(now_us)
    return granted


def arrivals_of(gaps_us: list[int]) -> list[Instant]:
    """Return arrival times with these gaps between them, up to ten minutes after `START`."""
    arrivals, now_us = [], int(START)
    for gap_us in gaps_us:
        now_us += gap_us
        if now_us > START + TEN_MINUTES_US:
            break
        arrivals.append(Instant(now_us))
    return arrivals

"""The rate limit: GCRA, the generic cell rate algorithm of ITU-T Recommendation I.371.

It is a leaky bucket used as a meter. Requests conform when they come at least an emission
interval T apart, except that an idle key can send `burst` of them at once. All that is
stored is the theoretical arrival time (TAT) of the next request of a steady sender; here
together with the instant from which the next request conforms, `allow = TAT - (burst - 1) T`,
so that a store which cannot calculate in its conditions still needs but one of two updates:

    idle, TAT <= now                   TAT = now + T, allow = now + T - (burst - 1) T
    busy, TAT > now and allow <= now   TAT += T, allow += T
    otherwise                          refused until `allow`

Each admitted request moves TAT on by T, and none is admitted once TAT is more than
(burst - 1) T ahead, so that no stretch of t seconds admits more than t / T + burst. Times are
whole microseconds and T is rounded up, so rounding never admits more than the limit.

A call that was not charged and took more CPU than an ordinary photo counts as several requests
once it has ended: TAT and `allow` move on by T for each (`add_weight`).

Clocks of machines differ, and TAT is compared with all of them. So a bucket also keeps the instant
of its last request, and its time never goes back: a request that a slow clock dates earlier is
taken as one of that last instant. A process remembers how far the instants in the buckets that it
reads are ahead of its own clock, and adds the difference to its clock (`LimiterClock`): limits
run by the fastest clock that has used them. An absolute difference does not matter to a limit,
only the step when a faster clock joins or a clock is set forward: each step of d seconds admits
at most min(burst, d / T) requests more. A clock that is set back changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from blur.account_status import RateLimit, RateLimitStatus
from blur.accounts.model import SECOND_US, Instant

MINUTE_US = 60 * SECOND_US


@dataclass(frozen=True, slots=True)
class Bucket:
    """A key's state: microseconds since 1970, both 0 for a key that was never used."""

    tat_us: int
    """Theoretical arrival time; the key is fully rested from then on."""
    allow_us: int
    """When the next request conforms: `tat_us - (burst - 1) * T`."""
    last_us: int = 0
    """When the last request was admitted, by the clock that admitted it."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The request does not conform; the bucket stays as it is."""

    retry_after_s: int


def interval_us(limit: RateLimit) -> int:
    """Return the emission interval T in microseconds, rounded up."""
    return -(-MINUTE_US // limit.per_minute)


def slack_us(limit: RateLimit) -> int:
    """Return what `allow_us` is after now once an idle bucket took a request; may be < 0."""
    return (2 - limit.burst) * interval_us(limit)


def count_request(bucket: Bucket, limit: RateLimit, now_us: Instant) -> Bucket | Refusal:
    """Admit one request and return the bucket after it, or refuse it."""
    now_us = bucket_time(bucket, now_us)
    interval = interval_us(limit)
    if bucket.tat_us <= now_us:
        return Bucket(now_us + interval, now_us + slack_us(limit), now_us)
    if bucket.allow_us <= now_us:
        return Bucket(bucket.tat_us + interval, bucket.allow_us + interval, now_us)
    return Refusal(retry_after_s(bucket, now_us))


def add_weight(bucket: Bucket, limit: RateLimit, requests: int, now_us: Instant) -> Bucket:
    """Return the bucket as if a request that it has admitted had counted as `requests` more.

    TAT is moved to `horizon_us` at most, so that no call locks its key out for long.
    """
    now_us, horizon = bucket_time(bucket, now_us), horizon_us(limit)
    shift_us = min(requests * interval_us(limit), horizon, now_us + horizon - bucket.tat_us)
    if shift_us <= 0:
        return bucket
    return Bucket(bucket.tat_us + shift_us, bucket.allow_us + shift_us, bucket.last_us)


def horizon_us(limit: RateLimit) -> int:
    """Return how far ahead of the last request TAT can be, with a burst and its weight."""
    return 2 * limit.burst * interval_us(limit)


def bucket_time(bucket: Bucket, now_us: Instant) -> Instant:
    """Return the later one of now and the bucket's last request: its time never goes back."""
    return Instant(max(now_us, bucket.last_us))


def retry_after_s(bucket: Bucket, now_us: Instant) -> int:
    """Return the whole seconds, at least 1, after which a request conforms."""
    return max(1, _ceil_seconds(bucket.allow_us - bucket_time(bucket, now_us)))


def rate_limit_status(bucket: Bucket, limit: RateLimit, now_us: Instant) -> RateLimitStatus:
    """Tell what the key could send right now, and when it is fully rested."""
    now_us = bucket_time(bucket, now_us)
    reset_s = max(0, _ceil_seconds(bucket.tat_us - now_us))
    if bucket.tat_us <= now_us:
        return RateLimitStatus(limit, limit.burst, reset_s)
    conforming = (now_us - bucket.allow_us) // interval_us(limit) + 1
    return RateLimitStatus(limit, max(0, conforming), reset_s)


class LimiterClock:
    """How far the clocks behind the buckets that a process has read are ahead of its own."""

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        """Start with the process's own clock; `ticks` are seconds that never go back."""
        self._ticks = ticks
        self._ahead_us = 0

    def start(self, now_us: Instant) -> LimiterTime:
        """Return the limits' time of a request that starts now, at `now_us` by our clock."""
        return LimiterTime(self, now_us, self._ticks())

    def us(self, now_us: Instant) -> Instant:
        """Return the limits' time when our clock shows `now_us`."""
        return Instant(now_us + self._ahead_us)

    def learn(self, last_us: int, started: LimiterTime) -> None:
        """Take note of a bucket's last request, which a request of ours reads now.

        The time since our request started counts: the other one can have come in between.
        """
        read_us = started.now_us + round((self._ticks() - started.ticks) * SECOND_US)
        self._ahead_us = max(self._ahead_us, last_us - read_us)


@dataclass(frozen=True, slots=True)
class LimiterTime:
    """The limits' time of one request."""

    clock: LimiterClock
    now_us: Instant
    """By the clock of this process."""
    ticks: float

    def us(self, bucket: Bucket | None = None) -> Instant:
        """Return the time of this request in a bucket that it has read, or in any other."""
        if bucket is None:
            return self.clock.us(self.now_us)
        self.clock.learn(bucket.last_us, self)
        return bucket_time(bucket, self.clock.us(self.now_us))


def _ceil_seconds(duration_us: int) -> int:
    return -(-duration_us // SECOND_US)

"""The rate limit: GCRA, the generic cell rate algorithm of ITU-T Recommendation I.371.

GCRA is a leaky bucket used as a meter. Requests conform, and are accepted, if the time between them
is at least an emission interval T, except that an idle key can send `burst` requests together. The
state is the theoretical arrival time (TAT) at which a steady sender's next request arrives. TAT is
stored together with the earliest time at which the next request conforms,
`allow = TAT - (burst - 1) T`, because the conditions of some stores cannot contain a calculation.
With both values stored, a condition only compares them with the present time. An accepted request
makes one of two updates:

    idle, TAT <= now                   TAT = now + T, allow = now + T - (burst - 1) T
    busy, TAT > now and allow <= now   TAT += T, allow += T
    otherwise                          rejected until `allow`

Each accepted request moves TAT by at least T, and no request is accepted if TAT is more than
(burst - 1) T after now. So at most t / T + burst requests are accepted in t seconds. Times are
whole microseconds and T is rounded up, so that rounding never increases the limit.

A call that is not charged and took more CPU than an ordinary photo counts as several requests when
it ends: TAT and `allow` move by T for each additional request (`add_weight`).

The clocks of machines differ, and TAT is compared with the clock of each machine. So a bucket also
stores the time of its last request, and this time never goes back: if a machine with a slow clock
counts a request at an earlier time, the bucket uses the time of its last request instead. A process
remembers by how much the stored times are ahead of the process's clock, and adds this difference to
its clock (`LimiterClock`). So limits follow the clock that is furthest ahead. A constant difference
between two clocks has no effect on a limit. If a clock that is d seconds ahead is used for the
first time, or a clock is set forward by d seconds, at most min(burst, d / T) more requests are
accepted. Setting a clock back has no effect.
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
    """The state of a rate limit, in microseconds since 1970; all 0 before the first request."""

    tat_us: int
    """Theoretical arrival time; from then on the whole burst is available."""
    allow_us: int
    """The earliest time at which a request is accepted: `tat_us - (burst - 1) * T`."""
    last_us: int = 0
    """The limiter time of the last accepted request; this time never goes back."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The request exceeds the rate limit, so it is rejected; the bucket does not change."""

    retry_after_s: int


def interval_us(limit: RateLimit) -> int:
    """Return the emission interval T in microseconds, rounded up."""
    return -(-MINUTE_US // limit.per_minute)


def slack_us(limit: RateLimit) -> int:
    """Return `allow_us` minus now after an idle key's first request; the result can be negative."""
    return (2 - limit.burst) * interval_us(limit)


def count_request(bucket: Bucket, limit: RateLimit, now_us: Instant) -> Bucket | Refusal:
    """Count one request; return the new state of the bucket, or a refusal."""
    now_us = bucket_time(bucket, now_us)
    interval = interval_us(limit)
    if bucket.tat_us <= now_us:
        return Bucket(now_us + interval, now_us + slack_us(limit), now_us)
    if bucket.allow_us <= now_us:
        return Bucket(bucket.tat_us + interval, bucket.allow_us + interval, now_us)
    return Refusal(retry_after_s(bucket, now_us))


def add_weight(bucket: Bucket, limit: RateLimit, requests: int, now_us: Instant) -> Bucket:
    """Return the bucket after it has counted `requests` additional requests.

    TAT becomes at most `max_ahead_us` later than the present time, so that one call does not block
    its key for long.
    """
    now_us, max_ahead = bucket_time(bucket, now_us), max_ahead_us(limit)
    shift_us = min(requests * interval_us(limit), max_ahead, now_us + max_ahead - bucket.tat_us)
    if shift_us <= 0:
        return bucket
    return Bucket(bucket.tat_us + shift_us, bucket.allow_us + shift_us, bucket.last_us)


def max_ahead_us(limit: RateLimit) -> int:
    """Return the largest value of TAT minus now after `add_weight`: `2 * burst` intervals T."""
    return 2 * limit.burst * interval_us(limit)


def bucket_time(bucket: Bucket, now_us: Instant) -> Instant:
    """Return now, or the time of the bucket's last request if that is later."""
    return Instant(max(now_us, bucket.last_us))


def retry_after_s(bucket: Bucket, now_us: Instant) -> int:
    """Return the whole seconds, at least 1, after which the next request is accepted."""
    return max(1, _ceil_seconds(bucket.allow_us - bucket_time(bucket, now_us)))


def rate_limit_status(bucket: Bucket, limit: RateLimit, now_us: Instant) -> RateLimitStatus:
    """Return how many requests the key can send now, and when the whole burst is available."""
    now_us = bucket_time(bucket, now_us)
    reset_s = max(0, _ceil_seconds(bucket.tat_us - now_us))
    if bucket.tat_us <= now_us:
        return RateLimitStatus(limit, limit.burst, reset_s)
    conforming = (now_us - bucket.allow_us) // interval_us(limit) + 1
    return RateLimitStatus(limit, max(0, conforming), reset_s)


class LimiterClock:
    """Measures by how much the times in buckets are ahead of this process's clock.

    The limiter time is this process's clock plus this difference.
    """

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        """Start with a difference of 0; `ticks` returns seconds of a clock that never goes back."""
        self._ticks = ticks
        self._ahead_us = 0

    def start(self, now_us: Instant) -> LimiterTime:
        """Return the limiter time of a request that starts at `now_us` on this process's clock."""
        return LimiterTime(self, now_us, self._ticks())

    def us(self, now_us: Instant) -> Instant:
        """Return the limiter time for the time `now_us` of this process's clock."""
        return Instant(now_us + self._ahead_us)

    def learn(self, last_us: int, started: LimiterTime) -> None:
        """Increase the difference if `last_us` of a bucket is further ahead of the clock.

        The bucket was read just now, and its last request might have arrived after the current
        request started. Therefore the time since the current request started is added to the
        `now_us` of the current request before the comparison.
        """
        read_us = started.now_us + round((self._ticks() - started.ticks) * SECOND_US)
        self._ahead_us = max(self._ahead_us, last_us - read_us)


@dataclass(frozen=True, slots=True)
class LimiterTime:
    """Computes the limiter time of one request; `LimiterClock` defines the limiter time."""

    clock: LimiterClock
    now_us: Instant
    """The time by the clock of this process."""
    ticks: float

    def us(self, bucket: Bucket | None = None) -> Instant:
        """Return this request's limiter time, but at least the time of `bucket`'s last request.

        The bucket must have been read just now: this method compares its last request with `clock`.
        """
        if bucket is None:
            return self.clock.us(self.now_us)
        self.clock.learn(bucket.last_us, self)
        return bucket_time(bucket, self.clock.us(self.now_us))


def _ceil_seconds(duration_us: int) -> int:
    return -(-duration_us // SECOND_US)

"""The rate limit: GCRA, the generic cell rate algorithm of ITU-T Recommendation I.371.

It is a leaky bucket used as a meter. Requests conform when they come at least an emission
interval T apart, except that a rested key may send `burst` of them at once. All that is
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
once it has ended: TAT and `allow` move on by T for each (`weighed`).

Requests fill no bucket further than `burst * T` ahead of a right clock, and their weight none
further than twice that, `horizon_us`. One that is further ahead, and some seconds for clocks that
differ between machines, was left by a clock that has since gone back. It is taken as a bucket
with one place left: the call gets in, the next one T later, so that a jump of the clock admits
one request too many and locks no key out. A smaller jump is waited for, at most `(burst + 1) * T
+ CLOCK_SKEW_US`. A clock that jumps forward and stays there admits one burst early.
"""

from __future__ import annotations

from dataclasses import dataclass

from blur.accounts.model import SECOND_US, Instant, RateLimit, RateStanding
from blur.skew import CLOCK_SKEW_US

MINUTE_US = 60 * SECOND_US


@dataclass(frozen=True, slots=True)
class Bucket:
    """A key's state: microseconds since 1970, both 0 for a key that was never used."""

    tat_us: int
    """Theoretical arrival time; the key is fully rested from then on."""
    allow_us: int
    """When the next request conforms: `tat_us - (burst - 1) * T`."""


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


def step(bucket: Bucket, limit: RateLimit, now_us: Instant) -> Bucket | Refusal:
    """Admit one request and return the bucket after it, or refuse it."""
    bucket = believed(bucket, limit, now_us)
    interval = interval_us(limit)
    if bucket.tat_us <= now_us:
        return Bucket(now_us + interval, now_us + slack_us(limit))
    if bucket.allow_us <= now_us:
        return Bucket(bucket.tat_us + interval, bucket.allow_us + interval)
    return Refusal(retry_after_s(bucket, now_us))


def weighed(bucket: Bucket, limit: RateLimit, requests: int, now_us: Instant) -> Bucket:
    """Return the bucket as if a request that it has admitted had counted as `requests` more.

    TAT is moved to `horizon_us` at most, so that the bucket never looks like one that a wrong
    clock has left.
    """
    horizon = horizon_us(limit)
    shift_us = min(requests * interval_us(limit), horizon, now_us + horizon - bucket.tat_us)
    if shift_us <= 0:
        return bucket
    return Bucket(bucket.tat_us + shift_us, bucket.allow_us + shift_us)


def horizon_us(limit: RateLimit) -> int:
    """Return how far ahead of a right clock TAT can be: a burst of requests, and their weight."""
    return 2 * limit.burst * interval_us(limit)


def believed(bucket: Bucket, limit: RateLimit, now_us: Instant) -> Bucket:
    """Return the bucket, or one with a single place left if its clock was far ahead of ours."""
    interval = interval_us(limit)
    if bucket.tat_us <= now_us + horizon_us(limit) + CLOCK_SKEW_US:
        return bucket
    return Bucket(now_us + (limit.burst - 1) * interval, now_us)


def retry_after_s(bucket: Bucket, now_us: Instant) -> int:
    """Return the whole seconds, at least 1, after which a request conforms."""
    return max(1, _ceil_seconds(bucket.allow_us - now_us))


def standing(bucket: Bucket, limit: RateLimit, now_us: Instant) -> RateStanding:
    """Tell what the key could send right now, and when it is fully rested."""
    bucket = believed(bucket, limit, now_us)
    reset_s = max(0, _ceil_seconds(bucket.tat_us - now_us))
    if bucket.tat_us <= now_us:
        return RateStanding(limit, limit.burst, reset_s)
    conforming = (now_us - bucket.allow_us) // interval_us(limit) + 1
    return RateStanding(limit, max(0, conforming), reset_s)


def _ceil_seconds(duration_us: int) -> int:
    return -(-duration_us // SECOND_US)

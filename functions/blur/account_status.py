"""The balance and the rate limit of a valid key after a call: responses show it as headers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`per_minute` requests a minute on average; a rested key may send `burst` at once."""

    per_minute: int
    burst: int


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """Where a key stands with its rate limit after a call."""

    limit: RateLimit
    remaining: int
    """Requests it could send right now."""
    reset_s: int
    """Whole seconds, rounded up, until the whole burst is there again."""


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """Where a key and its account stand after a call: what the answer's headers tell."""

    credits_charged: int | None
    """None where the charge was sent and no answer came: it may have arrived."""
    credits_left: int
    rate: RateLimitStatus

"""The account's balance and the key's rate limit after a call, for the headers of the response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blur.credits import Credits


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A key can send `per_minute` requests per minute on average, and up to `burst` at once."""

    per_minute: int
    burst: int


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """The part of a key's rate limit that is left after a call."""

    limit: RateLimit
    remaining: int
    """The number of requests that the key can send now."""
    reset_s: int
    """Whole seconds, rounded up, until the whole burst is available again."""


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """The account's balance and the key's rate limit after a call."""

    credits_charged: Credits | None
    """None if the charge is unknown, because the store did not confirm it."""
    credits_left: Credits
    rate: RateLimitStatus

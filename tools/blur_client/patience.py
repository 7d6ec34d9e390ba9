"""When a failed attempt is repeated, and after how long."""

from __future__ import annotations

from dataclasses import dataclass

from blur_client.errors import (
    ApiError,
    BlurClientError,
    ConnectionFailedError,
    IdempotencyInProgressError,
    UnexpectedAnswerError,
)

PASSING = frozenset({429, 502, 503, 504})
"""Statuses of what passes by itself; each may also come from a proxy in front of the API."""
BUCKET_FAILED = 500
"""S3 asks for a retry with it. The API's own `internal_error` is no passing matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often a call is repeated and how long it waits in between."""

    retries: int = 4
    """Attempts after the first one."""
    first_wait_s: float = 0.5
    """Before the first retry; it doubles with each one."""
    longest_wait_s: float = 60
    """A longer wait than this is not waited for: its error is raised at once."""

    def wait_s(self, error: BlurClientError, attempt: int, chance: float) -> float | None:
        """Return the seconds to wait after attempt 0, 1, ...; None: give up.

        `Retry-After` is the least that is waited. `chance`, 0 to 1, spreads the attempts of
        many clients that failed at one moment.
        """
        if attempt >= self.retries or not may_pass(error):
            return None
        asked: int = getattr(error, "retry_after_s", None) or 0
        if asked > self.longest_wait_s:
            return None
        backoff = min(self.first_wait_s * 2.0**attempt, self.longest_wait_s)
        return asked + backoff * (0.5 + chance / 2)


def may_pass(error: BlurClientError) -> bool:
    """Tell whether the same call may succeed later."""
    if isinstance(error, UnexpectedAnswerError):
        return error.status in PASSING or error.status == BUCKET_FAILED
    if isinstance(error, ApiError):
        return error.status in PASSING or isinstance(error, IdempotencyInProgressError)
    return isinstance(error, ConnectionFailedError)

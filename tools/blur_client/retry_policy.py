"""The rules for retries: which failed attempts are retried, and after which pause."""

from __future__ import annotations

from dataclasses import dataclass

from blur_client.errors import (
    ApiError,
    BlurClientError,
    ConnectionFailedError,
    IdempotencyInProgressError,
    ResponseLostError,
    UnexpectedResponseError,
)

RETRYABLE_STATUSES = frozenset({429, 502, 503, 504})
"""Statuses of temporary failures; a proxy in front of the API can send these statuses, too."""
STORAGE_ERROR = 500
"""The status of S3's temporary errors, which clients should retry. The API's `internal_error` has
the same status; it is retried only if the response was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a call is retried, and how long the client waits between attempts."""

    retries: int = 4
    """The maximum number of attempts after the first attempt. There are at most two after a lost
    response, and three times as many while the API reports that the first call with the idempotency
    key is still running. If the process of this call was killed, the API reports this for up to two
    minutes."""
    first_wait_s: float = 0.5
    """The longest wait before the first retry, in addition to `Retry-After`. It doubles with each
    retry; a random number shortens each wait by up to half."""
    max_wait_s: float = 60
    """The limit of the doubled waits, and of the wait that the API asks for (`Retry-After`). If the
    API asks for a longer wait, the error is raised immediately."""

    def wait_s(self, error: BlurClientError, attempt: int, jitter: float) -> float | None:
        """Return the seconds to wait before the next attempt; None if the call must not be retried.

        `attempt` is the number of the failed attempt; the first is 0.

        The wait is never shorter than `Retry-After`. `jitter`, 0 to 1, spreads the retries of
        clients that failed at the same moment.
        """
        if attempt >= self._retries_after(error) or not is_retryable(error):
            return None
        retry_after_s: int = getattr(error, "retry_after_s", None) or 0
        if retry_after_s > self.max_wait_s:
            return None
        backoff_s = min(self.first_wait_s * 2.0**attempt, self.max_wait_s)
        return retry_after_s + backoff_s * (0.5 + jitter / 2)

    def _retries_after(self, error: BlurClientError) -> int:
        if isinstance(error, IdempotencyInProgressError):
            return 3 * self.retries  # the first call can block its key for two minutes
        if isinstance(error, ResponseLostError):
            return min(self.retries, 2)  # this photo could stop another process at each attempt
        return self.retries


def is_retryable(error: BlurClientError) -> bool:
    """Return whether the same call can succeed later."""
    if isinstance(error, UnexpectedResponseError):
        return error.status in RETRYABLE_STATUSES or error.status == STORAGE_ERROR
    if isinstance(error, ApiError):
        is_repeatable = isinstance(error, (IdempotencyInProgressError, ResponseLostError))
        return error.status in RETRYABLE_STATUSES or is_repeatable
    return isinstance(error, ConnectionFailedError)

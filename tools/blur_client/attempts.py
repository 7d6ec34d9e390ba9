"""Repeat failed calls, according to the retry policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from blur_client.errors import BlurClientError

if TYPE_CHECKING:
    from blur_client.retry_policy import RetryPolicy

OnWait = Callable[[float, BlurClientError], None]
"""Called with the seconds until the next attempt, and the error of the last attempt."""
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Attempts:
    """Repeats calls. `sleep` waits between attempts; `jitter` returns a random number, 0 to 1."""

    policy: RetryPolicy
    sleep: Callable[[float], object]
    jitter: Callable[[], float]

    def run(self, attempt: Callable[[], Result], on_wait: OnWait | None = None) -> Result:
        """Return the result of the first attempt that succeeds.

        Raises:
            BlurClientError: the error of the last attempt.

        """
        number = 0
        while True:
            try:
                return attempt()
            except BlurClientError as error:
                wait_s = self.policy.wait_s(error, number, self.jitter())
                if wait_s is None:
                    raise
                if on_wait is not None:
                    on_wait(wait_s, error)
            self.sleep(wait_s)
            number += 1

"""The instant at which a call is given up, so that it is refunded before Lambda ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from blur.accounts.model import SECOND_US, Instant
from blur.errors import UnavailableError

MILLISECOND_US = 1_000


@dataclass(frozen=True, slots=True)
class Deadline:
    """A call may go on while the clock shows less than `at_us`, or for ever if that is None."""

    at_us: Instant | None
    clock: Callable[[], Instant]

    def check(self) -> None:
        """Go on, or give up: called between steps, each of which runs to its end.

        Raises:
            UnavailableError: the deadline has come.

        """
        if self.at_us is not None and self.clock() >= self.at_us:
            message = "The photo could not be finished in time. Nothing was charged."
            raise UnavailableError(message, retry_after_s=1)


def before_timeout(clock: Callable[[], Instant], *, left_ms: int, margin_s: int) -> Deadline:
    """Set the deadline `margin_s` before the end of the `left_ms` that Lambda still gives.

    The margin has to cover the longest step, the refund and the answer; 0 sets no deadline.
    """
    if margin_s == 0:
        return Deadline(None, clock)
    return Deadline(Instant(clock() + left_ms * MILLISECOND_US - margin_s * SECOND_US), clock)

"""The deadline of a call, the duration of each step, and times as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

from blur.accounts.model import SECOND_US, Instant
from blur.errors import UnavailableError

MILLISECOND_US = 1_000
MILLISECOND_NS = 1_000_000
TOTAL = "total"


def rfc3339(at_us: Instant) -> str:
    """Return a time with a precision of one second, such as `2026-01-31T12:00:00Z`."""
    return datetime.fromtimestamp(at_us // SECOND_US, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time on `clock` at which a call must stop; None means no deadline."""

    at_us: Instant | None
    clock: Callable[[], Instant]

    def check(self) -> None:
        """Stop the call if the deadline has passed.

        Callers check the deadline between steps, so no step is interrupted.

        Raises:
            UnavailableError: the deadline has passed.
        """
        if self.at_us is not None and self.clock() >= self.at_us:
            message = (
                "The service did not finish the photo in time. Nothing was charged; try again."
            )
            raise UnavailableError(message, retry_after_s=1)


def before_timeout(clock: Callable[[], Instant], *, left_ms: int, margin_s: int) -> Deadline:
    """Return a deadline `margin_s` before the process's time-out, which is `left_ms` from now.

    The margin has to cover the longest step, the refund and the response; 0 sets no deadline.
    """
    if margin_s == 0:
        return Deadline(None, clock)
    return Deadline(Instant(clock() + left_ms * MILLISECOND_US - margin_s * SECOND_US), clock)


@dataclass(slots=True)
class Stopwatch:
    """Measures the steps of a call; `ticks` is a monotonic clock in nanoseconds."""

    ticks: Callable[[], int]
    _started_ns: int = field(init=False)
    _steps: list[tuple[str, int]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        """Start the stopwatch."""
        self._started_ns = self.ticks()

    def step(self, name: str) -> None:
        """Start or continue a step, and end the previous step."""
        self._steps.append((name, self.ticks()))

    def durations_ms(self) -> Mapping[str, float]:
        """Return the milliseconds of each step and in total; the last step ends now."""
        now_ns = self.ticks()
        spans: Counter[str] = Counter()
        for (name, started_ns), (_, end_ns) in pairwise([*self._steps, (TOTAL, now_ns)]):
            spans[name] += end_ns - started_ns
        spans[TOTAL] = now_ns - self._started_ns
        return {name: span_ns / MILLISECOND_NS for name, span_ns in spans.items()}

"""Clocks that show the time that a test sets."""

from __future__ import annotations

from dataclasses import dataclass

from blur.accounts.model import SECOND_US, Instant

START = Instant(1_800_000_000 * SECOND_US)


@dataclass
class Clock:
    """A clock in microseconds since 1970."""

    at_us: int = START

    def __call__(self) -> Instant:
        return Instant(self.at_us)

    def advance(self, seconds: float) -> None:
        self.at_us += round(seconds * SECOND_US)


@dataclass
class SecondsClock:
    """A clock in seconds, such as `time.monotonic`."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s

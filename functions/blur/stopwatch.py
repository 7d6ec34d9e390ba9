"""How long each step of a call takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

MILLISECOND_NS = 1_000_000
TOTAL = "total"


@dataclass(slots=True)
class Stopwatch:
    """Runs from when it is made; `ticks` counts nanoseconds and never goes back."""

    ticks: Callable[[], int]
    _started_ns: int = field(init=False)
    _steps: list[tuple[str, int]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        """Start."""
        self._started_ns = self.ticks()

    def step(self, name: str) -> None:
        """Note that a step begins, and that the one before it is over."""
        self._steps.append((name, self.ticks()))

    def durations_ms(self) -> Mapping[str, float]:
        """Return the milliseconds of each step, the last one ending now, and of everything."""
        now_ns = self.ticks()
        spans = {
            name: (end_ns - begun_ns) / MILLISECOND_NS
            for (name, begun_ns), (_, end_ns) in pairwise([*self._steps, (TOTAL, now_ns)])
        }
        return {**spans, TOTAL: (now_ns - self._started_ns) / MILLISECOND_NS}

"""Paired runs: each round measures everything once, and ratios are medians over rounds.

So if the machine becomes slower, both sides do.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def seconds(work: Callable[[], object]) -> float:
    """Return the time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def paired(rounds: int, **works: Callable[[], object]) -> dict[str, list[float]]:
    """Measure all alternately, after one round that is not counted."""
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(seconds(work))
    return times


def ratio(above: list[float], below: list[float]) -> float:
    """Return the median of the rounds' ratios."""
    return statistics.median(one / other for one, other in zip(above, below, strict=True))


def tenths_of_milliseconds(times: list[float]) -> str:
    """Write the median of short times."""
    return f"{1000 * statistics.median(times):.1f}"


def milliseconds(times: list[float]) -> str:
    """Write the median."""
    return f"{1000 * statistics.median(times):.0f}"

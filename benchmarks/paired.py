"""Paired runs: each round measures everything once, and ratios are medians over rounds.

So a machine that slows down slows down both sides.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def seconds(work: Callable[[], object]) -> float:
    """Return how long one call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def paired(rounds: int, **works: Callable[[], object]) -> dict[str, list[float]]:
    """Measure all in turn, after one round that does not count."""
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

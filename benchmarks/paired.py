"""Paired runs: each round measures each function once, and a ratio is the median over the rounds.

If the machine becomes slower for some time, all functions become slower, and ratios do not change.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the time that one call of the function takes."""
    started = clock()
    work()
    return clock() - started


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU time of one call in all threads; other programs have almost no effect."""
    return seconds(work, time.process_time)


def paired(
    rounds: int,
    measure: Callable[[Callable[[], object]], float] = seconds,
    **works: Callable[[], object],
) -> dict[str, list[float]]:
    """Return the time of each function in each round; an additional first round is not measured."""
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(measure(work))
    return times


def ratio(above: list[float], below: list[float]) -> float:
    """Return the median over the rounds of `above` divided by `below`."""
    return statistics.median(one / other for one, other in zip(above, below, strict=True))


def tenths_of_milliseconds(times: list[float]) -> str:
    """Return the median as text, in milliseconds with one decimal."""
    return f"{1000 * statistics.median(times):.1f}"


def milliseconds(times: list[float]) -> str:
    """Return the median as text, in whole milliseconds."""
    return f"{1000 * statistics.median(times):.0f}"

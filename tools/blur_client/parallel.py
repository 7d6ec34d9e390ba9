"""Call a function for each item of an iterable in several threads, with a bounded queue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

QUEUED_FOR_EACH_THREAD = 2


def map_bounded(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int
) -> Iterator[Result]:
    """Yield each result when it is ready, in any order.

    At most `QUEUED_FOR_EACH_THREAD` items for each thread are read in advance, so `items` can be a
    generator of any length. If the caller stops the iteration, or a call raises an error, no
    further call starts.
    """
    remaining = iter(items)
    pool = ThreadPoolExecutor(threads)
    running: set[Future[Result]] = set()
    try:
        while True:
            free = threads * QUEUED_FOR_EACH_THREAD - len(running)
            running |= {pool.submit(function, item) for item in islice(remaining, free)}
            if not running:
                break
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for each in ended:
                yield each.result()
    except KeyboardInterrupt:  # do not wait for calls that are still running
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        raise
    pool.shutdown()

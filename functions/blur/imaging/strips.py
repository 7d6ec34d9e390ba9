"""Process a large image in strips of whole rows, with several threads and limited memory."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

import cv2

if TYPE_CHECKING:
    from collections.abc import Callable

STRIP_PX = 1 << 18
"""The approximate number of pixels in a strip: 3 MiB of colour in floating point."""


def set_thread_count(count: int) -> None:
    """Set the number of threads, at least 1, for this package and for OpenCV."""
    cv2.setNumThreads(count)


def thread_count() -> int:
    """Return the number of threads; if no number was set, OpenCV's default."""
    return max(1, cv2.getNumThreads())


def row_strips(height: int, width: int, multiple: int = 1) -> list[slice]:
    """Divide the rows 0..height into slices of about `STRIP_PX` pixels, at least one row each.

    The length of each slice, except the last, is a multiple of `multiple`.
    """
    return slices(height, max(1, STRIP_PX // width // multiple) * multiple)


def slices(size: int, max_length: int) -> list[slice]:
    """Divide 0..size into slices of at most `max_length`."""
    return [slice(start, min(start + max_length, size)) for start in range(0, size, max_length)]


def for_each_strip(
    shape: tuple[int, ...], work: Callable[[slice], None], multiple: int = 1
) -> None:
    """Call `work` with the rows of each strip, in parallel.

    The index of each strip's first row is a multiple of `multiple`. If `work` raises an exception,
    it is not called for the remaining strips, and this function raises the exception.

    The calling thread also processes strips. When no strip is left, all tasks that no helper thread
    has started are cancelled. So this function never waits for a free helper thread: `work` can
    call this function again, and several callers can share the helper threads.
    """
    strips = deque(row_strips(shape[0], shape[1], multiple))

    def next_strip() -> slice | None:
        with suppress(IndexError):
            return strips.popleft()
        return None

    def work_on() -> None:
        try:
            while rows := next_strip():
                work(rows)
        except BaseException:
            strips.clear()
            raise

    count = min(thread_count(), len(strips)) - 1
    helpers = [_helpers(thread_count() - 1).submit(work_on) for _ in range(count)]
    try:
        work_on()
    finally:
        for helper in helpers:
            if not helper.cancel():
                helper.result()


@cache
def _helpers(count: int) -> ThreadPoolExecutor:
    """Return a pool of helper threads. The pool is kept: starting threads takes milliseconds."""
    return ThreadPoolExecutor(count, thread_name_prefix="strips")


if hasattr(os, "register_at_fork"):  # a forked process does not have its parent's threads
    os.register_at_fork(after_in_child=_helpers.cache_clear)

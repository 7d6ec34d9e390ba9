"""Process a large image in strips of whole rows: on every core, in bounded memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import cv2

if TYPE_CHECKING:
    from collections.abc import Callable

STRIP_PX = 1 << 18
"""Approximate pixels of a strip: 3 MiB of colour in floating point."""


def set_thread_count(count: int) -> None:
    """Set the number of threads, at least 1, for this package and for OpenCV."""
    cv2.setNumThreads(count)


def thread_count() -> int:
    """Return the number of threads; OpenCV's default if none was set."""
    return max(1, cv2.getNumThreads())


def row_strips(height: int, width: int, multiple: int = 1) -> list[slice]:
    """Divide the rows 0..height into slices of about `STRIP_PX` pixels, at least one row each.

    The length of all slices but the last is a multiple of `multiple`.
    """
    return slices(height, max(1, STRIP_PX // width // multiple) * multiple)


def slices(size: int, max_length: int) -> list[slice]:
    """Divide 0..size into slices of at most `max_length`."""
    return [slice(start, min(start + max_length, size)) for start in range(0, size, max_length)]


def for_each_strip(
    shape: tuple[int, ...], work: Callable[[slice], None], multiple: int = 1
) -> None:
    """Call `work` with the rows of each strip, in parallel.

    Strips start at multiples of `multiple`. If `work` raises an exception, so does this function.
    """
    with ThreadPoolExecutor(thread_count()) as pool:
        list(pool.map(work, row_strips(shape[0], shape[1], multiple)))

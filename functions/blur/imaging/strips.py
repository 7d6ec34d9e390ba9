"""Work on a large picture in strips of whole rows, on every core, in bounded memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import cv2

if TYPE_CHECKING:
    from collections.abc import Callable

STRIP_PX = 1 << 18
"""About how many pixels a thread works on at once: 3 MiB of colour in floating point."""


def set_thread_count(count: int) -> None:
    """Let everything here and in OpenCV run on so many threads, at least 1, from now on."""
    cv2.setNumThreads(count)


def thread_count() -> int:
    """Return that number; without it, it is OpenCV's guess."""
    return max(1, cv2.getNumThreads())


def row_strips(height: int, width: int) -> list[slice]:
    """Cut rows 0..height into slices of about `STRIP_PX` pixels, at least one row each."""
    return slices(height, max(1, STRIP_PX // width))


def slices(size: int, most: int) -> list[slice]:
    """Cut 0..size into slices of at most `most`."""
    return [slice(start, min(start + most, size)) for start in range(0, size, most)]


def for_each_strip(shape: tuple[int, ...], work: Callable[[slice], None]) -> None:
    """Call `work` with the rows of each strip, on as many threads as OpenCV has."""
    with ThreadPoolExecutor(thread_count()) as pool:
        list(pool.map(work, row_strips(shape[0], shape[1])))  # raises what the work raised

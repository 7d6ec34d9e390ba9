"""The filters of PNG: they replace each byte by its difference from neighbouring bytes (9.2).

W3C PNG, third edition, https://www.w3.org/TR/png-3/. Each filter runs on many rows at a time.

Most encoders give each row the filter with the smallest sum of absolute differences. This rule
ignores that equal differences of red, green and blue compress well. `choose_filter` compresses some
rows of each group with every filter, and selects the filter with the smallest result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import cv2
from isal import isal_zlib

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from blur.imaging.arrays import ImageU8

    Bytes: TypeAlias = NDArray[np.uint8]

SUB, UP, AVERAGE, PAETH = 1, 2, 3, 4
"""The types of the filters (9.2)."""
SAMPLE_ROWS = 8
"""The number of rows that `choose_filter` compresses to choose the filter of a group of rows. It
equals the height of a block in JPEG."""
SAMPLE_LEVEL = 2
"""ISA-L's compression level for the sample rows. ISA-L leads to almost the same choices as zlib-ng,
in a third of the time."""
BEYOND = (0, 0, 0, 0)
"""The value of pixels outside the image (PNG, 9.2)."""


class Neighbours(NamedTuple):
    """The bytes of some rows and their neighbours, each (h, W * C)."""

    here: Bytes
    left: Bytes
    above: Bytes
    corner: Bytes
    """The bytes of the pixel to the left of the pixel above."""

    def rows(self, rows: slice) -> Neighbours:
        """Return the part of each array that belongs to these rows."""
        return Neighbours(*(part[rows] for part in self))


def find_neighbours(image: ImageU8, rows: slice) -> Neighbours:
    """Return the bytes of some rows of an image, (H, W, C), and the neighbours of each byte."""
    channels = image.shape[2]
    missing = 1 if rows.start == 0 else 0
    window = image[rows.start - 1 + missing : rows.stop]
    padded = cv2.copyMakeBorder(window, missing, 0, 1, 0, cv2.BORDER_CONSTANT, value=BEYOND)
    samples = padded.reshape(len(padded), -1)
    return Neighbours(
        samples[1:, channels:],
        samples[1:, :-channels],
        samples[:-1, channels:],
        samples[:-1, :-channels],
    )


def sub(bytes_: Neighbours) -> Bytes:
    """Return the differences from the pixel on the left."""
    return bytes_.here - bytes_.left


def up(bytes_: Neighbours) -> Bytes:
    """Return the differences from the pixel above."""
    return bytes_.here - bytes_.above


def average(bytes_: Neighbours) -> Bytes:
    """Return the differences from the mean, rounded down, of the left and the upper pixel."""
    low = cv2.min(bytes_.left, bytes_.above)
    difference = cv2.max(bytes_.left, bytes_.above) - low
    residuals: Bytes = bytes_.here - low - (difference >> 1)
    return residuals


def paeth(bytes_: Neighbours) -> Bytes:
    """Return the differences from a, b or c, whichever is nearest to a + b - c (9.4).

    a is on the left, b above and c in the corner. The smaller of a and b is low, the larger is
    high. Let p = a + b - c, rise = high - c and fall = c - low, both at least 0. If c is between
    low and high, then p = low + rise = high - fall. So the distance from p to low is rise, to
    high it is fall, and to c it is |rise - fall|. If c > high, low is the nearest, and rise is 0.
    If c < low, high is the nearest, and fall is 0.
    """
    low, high = cv2.min(bytes_.left, bytes_.above), cv2.max(bytes_.left, bytes_.above)
    rise, fall = cv2.subtract(high, bytes_.corner), cv2.subtract(bytes_.corner, low)  # both >= 0
    to_high = rise & cv2.compare(cv2.subtract(rise, fall), fall, cv2.CMP_GE)
    to_low = fall & cv2.compare(cv2.subtract(fall, rise), rise, cv2.CMP_GE)
    residuals: Bytes = bytes_.here - bytes_.corner - to_high + to_low
    return residuals


FILTERS: dict[int, Callable[[Neighbours], Bytes]] = {
    UP: up,
    SUB: sub,
    AVERAGE: average,
    PAETH: paeth,
}
"""The filters by their type."""


def choose_filter(neighbours: Neighbours) -> int:
    """Return the type of the filter with which the middle rows compress best."""
    sample = neighbours.rows(middle_rows(slice(0, len(neighbours.here))))

    def compressed_size(type_: int) -> int:
        return len(isal_zlib.compress(FILTERS[type_](sample), SAMPLE_LEVEL))

    return min(FILTERS, key=compressed_size)


def middle_rows(rows: slice) -> slice:
    """Return the `SAMPLE_ROWS` rows in the middle, or all rows if there are fewer."""
    count = min(rows.stop - rows.start, SAMPLE_ROWS)
    start = rows.start + (rows.stop - rows.start - count) // 2
    return slice(start, start + count)

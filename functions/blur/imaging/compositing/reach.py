"""Limit how far the subject's colours continue around it, where alpha is 0.

Viewers that interpolate straight colour need them near the edge. Farther away, one constant colour
takes no work and compresses to almost nothing.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from blur.imaging.arrays import to_u8
from blur.imaging.resample import upscale

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaU8, RgbF32, RgbU8

REACH_PX = 32
"""The subject's colours continue at least this far; each halving of the size halves it."""
BLOCK_PX = 16
"""The reach is rounded up to whole blocks of this side."""


class Blocks(NamedTuple):
    """Which blocks of `BLOCK_PX` x `BLOCK_PX` pixels are visible, each bool (rows, columns)."""

    near: NDArray[np.bool_]
    """Blocks with a visible pixel, or near one."""
    uncovered: NDArray[np.bool_]
    """Those of them with a pixel of alpha 0."""


def find_blocks(alpha: AlphaU8) -> Blocks:
    """Divide an alpha channel, (H, W), into blocks."""
    size = 2 * -(-REACH_PX // BLOCK_PX) + 1
    visible = (_reduce(np.maximum, alpha) > 0).astype(np.uint8)
    near = cv2.dilate(visible, np.ones((size, size), np.uint8)).astype(np.bool_)
    return Blocks(near, near & (_reduce(np.minimum, alpha) == 0))


def constant_colour(foreground: RgbF32) -> RgbU8:
    """Return the colour beyond the reach, (3,): the mean of the subject's colours."""
    return to_u8(foreground.mean(axis=(0, 1)))


def fill_beyond(colours: RgbU8, alpha: AlphaU8, colour: RgbU8) -> None:
    """Set the colour of all pixels, (H, W, 3), that are far from any visible pixel, in place."""
    for index, row in enumerate(~find_blocks(alpha).near):
        for columns in _runs(row):
            colours[index * BLOCK_PX : (index + 1) * BLOCK_PX, columns] = colour


class Extension:
    """The subject's colours around it: those of its coarse layer, upscaled where they are needed.

    They equal `upscale(foreground, shape)`, which computes all of them. Like OpenCV, this
    interpolates along the rows first, and then along the columns.
    """

    def __init__(self, foreground: RgbF32, matte: AlphaU8) -> None:
        """Prepare it for a matte, (H, W)."""
        height, width = matte.shape
        self._wide = upscale(foreground, (foreground.shape[0], width))
        self._uncovered = find_blocks(matte).uncovered
        position = ((np.arange(height) + 0.5) * (len(foreground) / height) - 0.5).astype(np.float32)
        above = np.floor(position)
        self._weights = (position - above)[:, np.newaxis, np.newaxis]
        self._above = above.astype(np.intp)

    def put(self, canvas: RgbU8, index: int) -> None:
        """Write the colours of one row of blocks into a canvas, (H, W, 3)."""
        rows = slice(index * BLOCK_PX, (index + 1) * BLOCK_PX)
        last = len(self._wide) - 1
        above = np.clip(self._above[rows], 0, last)
        below = np.clip(self._above[rows] + 1, 0, last)
        weights = self._weights[rows]
        for columns in _runs(self._uncovered[index]):
            part = self._wide[:, columns]
            canvas[rows, columns] = to_u8(part[above] * (1 - weights) + part[below] * weights)


def _reduce(operation: np.ufunc, alpha: AlphaU8) -> AlphaU8:
    """Apply `operation` to the pixels of each block."""
    height, width = alpha.shape
    below, right = -height % BLOCK_PX, -width % BLOCK_PX
    if below or right:
        alpha = cv2.copyMakeBorder(alpha, 0, below, 0, right, cv2.BORDER_REPLICATE)
    rows: AlphaU8 = operation.reduce(alpha.reshape(-1, BLOCK_PX, width + right), axis=1)
    blocks: AlphaU8 = operation.reduce(rows.reshape(len(rows), -1, BLOCK_PX), axis=2)
    return blocks


def _runs(row: NDArray[np.bool_]) -> Iterator[slice]:
    """Yield the columns of pixels of each run of true blocks."""
    padded = np.concatenate(([False], row, [False]))
    changes = BLOCK_PX * np.flatnonzero(padded[1:] != padded[:-1])
    for start, stop in list(pairwise(changes.tolist()))[::2]:
        yield slice(start, stop)

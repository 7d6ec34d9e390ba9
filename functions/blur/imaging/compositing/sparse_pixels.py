"""Single pixels picked out of a picture, for what is worth doing only where edges are soft."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from blur.imaging.arrays import OPAQUE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaU8, RgbF32, RgbU8

ROW_POINTS = 4096
"""Points in a row when a grid is looked up: OpenCV takes less than 32,768."""
HALF = np.float32(0.5)


class SparsePixels(NamedTuple):
    """Some pixels of a picture of a (height, width)."""

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    indices: NDArray[np.intp]
    """Their numbers, counted row by row, (n,)."""
    shape: tuple[int, int]


def find_mixed(matte: AlphaU8, rows: slice) -> SparsePixels:
    """Return the pixels of some rows that show subject and background: 0 < matte < 255."""
    height, width = matte.shape
    some = matte[rows]
    found = np.flatnonzero((some > 0) & (some < OPAQUE))  # five times as fast as with two axes
    y, x = np.divmod(found.astype(np.int32), np.int32(width))
    return SparsePixels(x, y + rows.start, found + rows.start * width, (height, width))


def take_colours(picture: RgbU8, points: SparsePixels) -> RgbF32:
    """Return the points' colours, (n, 3)."""
    return picture.reshape(-1, 3).take(points.indices, axis=0).astype(np.float32)


def take_alpha(coverage: AlphaU8, points: SparsePixels) -> NDArray[np.float32]:
    """Return the points' coverage in 0..1, (n, 3): numpy is slow to repeat a short axis."""
    levels = coverage.reshape(-1).take(points.indices)
    return (levels.repeat(3).reshape(-1, 3) / np.float32(OPAQUE)).astype(np.float32)


def put_colours(picture: RgbU8, points: SparsePixels, colours: RgbU8) -> None:
    """Set the points' colours, (n, 3), in a picture of contiguous rows."""
    # As one item of three bytes a colour is written twice as fast as three of one byte.
    picture.reshape(-1, 3, copy=False).view("V3")[points.indices] = colours.view("V3")


def sample_grids(grids: Sequence[RgbF32], points: SparsePixels) -> list[RgbF32]:
    """Look the points up in coarser pictures of one size, bilinear: (n, 3) each."""
    if not points.x.size:
        return [np.empty((0, 3), np.float32) for _ in grids]
    table = (-(-points.x.size // ROW_POINTS), ROW_POINTS)
    y, x = (
        np.resize((axis.astype(np.float32) + HALF) * np.float32(cells / pixels) - HALF, table)
        for axis, cells, pixels in zip(
            (points.y, points.x), grids[0].shape, points.shape, strict=False
        )
    )
    return [_interpolated(grid, x, y)[: points.x.size] for grid in grids]


def _interpolated(grid: RgbF32, x: NDArray[np.float32], y: NDArray[np.float32]) -> RgbF32:
    found: RgbF32 = cv2.remap(grid, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(-1, 3)

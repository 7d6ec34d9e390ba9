"""Single pixels picked out of a picture, for what is worth doing only where edges are soft."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from blur.imaging.arrays import OPAQUE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from blur.imaging.arrays import Colours, Coverage, Pixels

ROW_POINTS = 4096
"""Points in a row when a grid is looked up: OpenCV takes less than 32,768."""
HALF = np.float32(0.5)


class Points(NamedTuple):
    """Some pixels of a picture of a (height, width)."""

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    where: NDArray[np.intp]
    """Their numbers, counted row by row, (n,)."""
    shape: tuple[int, int]


def mixed(matte: Coverage, rows: slice) -> Points:
    """Return the pixels of some rows that show subject and background: 0 < matte < 255."""
    height, width = matte.shape
    some = matte[rows]
    found = np.flatnonzero((some > 0) & (some < OPAQUE))  # five times as fast as with two axes
    y, x = np.divmod(found.astype(np.int32), np.int32(width))
    return Points(x, y + rows.start, found + rows.start * width, (height, width))


def taken(picture: Pixels, points: Points) -> Colours:
    """Return the points' colours, (n, 3)."""
    return picture.reshape(-1, 3).take(points.where, axis=0).astype(np.float32)


def shares(coverage: Coverage, points: Points) -> NDArray[np.float32]:
    """Return the points' coverage in 0..1, (n, 3): numpy is slow to repeat a short axis."""
    levels = coverage.reshape(-1).take(points.where)
    return (levels.repeat(3).reshape(-1, 3) / np.float32(OPAQUE)).astype(np.float32)


def put(picture: Pixels, points: Points, colours: Pixels) -> None:
    """Set the points' colours, (n, 3), in a picture of contiguous rows."""
    # As one item of three bytes a colour is written twice as fast as three of one byte.
    picture.reshape(-1, 3, copy=False).view("V3")[points.where] = colours.view("V3")


def looked_up(grids: Sequence[Colours], points: Points) -> list[Colours]:
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


def _interpolated(grid: Colours, x: NDArray[np.float32], y: NDArray[np.float32]) -> Colours:
    found: Colours = cv2.remap(grid, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(-1, 3)

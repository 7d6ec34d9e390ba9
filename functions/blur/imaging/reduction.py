"""Weighted colours on a coarser grid.

Most cells lie wholly inside or wholly outside the subject; their weighted mean is the plain
mean, which Pillow takes fast. Only the cells that the edge crosses are weighed pixel by
pixel, in floating point: eight bits of weighted colour would lose faint weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from blur.imaging.tiles import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import Coverage, Pixels, Planes

CHUNK_PX = 1 << 18


def cells(shape: tuple[int, ...], step: int) -> tuple[int, int]:
    """Return how many rows and columns of cells cover a picture."""
    return -(-shape[0] // step), -(-shape[1] // step)


def weigh(colours: Pixels, weights: Coverage, step: int, window: Window) -> Planes:
    """Return each cell's mean of weight * colour (0..255) and of weight (0..1): (4, h, w).

    `window` counts cells, of `step` x `step` pixels, and may reach beyond the picture, which
    goes on outside as its edge pixels.
    """
    pixels = Window(*(side * step for side in window))
    colours, weights = extend(colours, pixels), extend(weights, pixels)
    mean_weights = _mean(weights, step)
    planes = np.empty((4, *mean_weights.shape), np.float32)
    np.divide(mean_weights, 255, out=planes[3])
    np.multiply(_mean(colours, step).transpose(2, 0, 1), planes[3], out=planes[:3])
    if step > 1:
        _weigh_mixed(planes, colours, weights, step)
    return planes


def extend(picture: Pixels, window: Window) -> Pixels:
    """Cut out a window that may reach beyond the picture, whose edges are replicated."""
    rows, above, below = _overlap(window.top, window.bottom, picture.shape[0])
    columns, before, after = _overlap(window.left, window.right, picture.shape[1])
    margins = [(above, below), (before, after), (0, 0)][: picture.ndim]
    return np.pad(picture[rows, columns], margins, mode="edge")


def _overlap(start: int, stop: int, limit: int) -> tuple[slice, int, int]:
    """Return what of start..stop lies in 0..limit, and how much before and after it.

    A range wholly outside overlaps with the nearest sample, which is what it repeats.
    """
    first, last = min(max(start, 0), limit - 1), max(min(stop, limit), 1)
    before = min(max(first - start, 0), stop - start - (last - first))
    return slice(first, last), before, stop - start - (last - first) - before


def _mean(picture: Pixels, step: int) -> Pixels:
    if step == 1:
        return picture
    return np.asarray(Image.fromarray(picture).reduce(step))


def _weigh_mixed(planes: Planes, colours: Pixels, weights: Coverage, step: int) -> None:
    rows, columns = np.nonzero((planes[3] > 0) & (planes[3] < 1))
    chunk = max(1, CHUNK_PX // step**2)
    for start in range(0, rows.size, chunk):
        y, x = rows[start : start + chunk], columns[start : start + chunk]
        weight = _members(weights, step, y, x) / np.float32(255)
        weighted = np.matmul(weight[:, np.newaxis], _members(colours, step, y, x))
        planes[:3, y, x] = weighted[:, 0].T / np.float32(step**2)
        planes[3, y, x] = weight.mean(axis=1)


def _members(
    picture: Pixels, step: int, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return the pixels of some cells: (n, step**2) or (n, step**2, 3)."""
    height, width = picture.shape[0] // step, picture.shape[1] // step
    channels = picture.shape[2:]
    grid = picture.reshape(height, step, width, step, *channels)
    members = grid[rows, :, columns]
    return members.reshape(rows.size, step**2, *channels).astype(np.float32)

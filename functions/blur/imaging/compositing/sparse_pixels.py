"""Sparse pixels: a selection of an image's pixels as flat arrays.

Functions that change only soft edges use sparse pixels, so that they process no other pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from blur.imaging.arrays import OPAQUE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaF32, AlphaU8, FloatArray, RgbF32, RgbU8

ROW_LENGTH = 4096
"""Pixels per row in the maps for `cv2.remap`, which requires fewer than 32,768 in each row."""
HALF = np.float32(0.5)


class SparsePixels(NamedTuple):
    """A selection of n pixels in an image of `shape` (height, width)."""

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    indices: NDArray[np.intp]
    """The flat indices of the pixels, row by row, (n,)."""
    shape: tuple[int, int]


def find_mixed(matte: AlphaU8, rows: slice) -> SparsePixels:
    """Return the pixels of some rows that show both layers: 0 < matte < 255."""
    height, width = matte.shape
    part = matte[rows]
    # A search by flat index is five times as fast as a search with two axes.
    indices = np.flatnonzero((part > 0) & (part < OPAQUE))
    y, x = np.divmod(indices.astype(np.int32), np.int32(width))
    return SparsePixels(x, y + rows.start, indices + rows.start * width, (height, width))


def take_colours(image: RgbU8, pixels: SparsePixels) -> RgbF32:
    """Return the colours of the pixels, (n, 3)."""
    return image.reshape(-1, 3).take(pixels.indices, axis=0).astype(np.float32)


def take_alpha(matte: AlphaU8, pixels: SparsePixels) -> AlphaF32:
    """Return the alpha of the pixels, 0..1, repeated for each channel, (n, 3).

    A calculation with this array is faster than with broadcasting.
    """
    levels = matte.reshape(-1).take(pixels.indices)
    return (levels.repeat(3).reshape(-1, 3) / np.float32(OPAQUE)).astype(np.float32)


def put_colours(image: RgbU8, pixels: SparsePixels, colours: RgbU8) -> None:
    """Set the colours of the pixels, (n, 3), in an image with contiguous rows."""
    # Writing a colour as one item of three bytes is twice as fast as writing three single bytes.
    image.reshape(-1, 3, copy=False).view("V3")[pixels.indices] = colours.view("V3")


def sample_grids(grids: Sequence[RgbF32], pixels: SparsePixels) -> list[RgbF32]:
    """Interpolate each grid bilinearly at the pixels; return an array, (n, 3), for each grid.

    The grids are smaller copies of the image to which the pixels belong, and have equal sizes.
    """
    if not pixels.x.size:
        return [np.empty((0, 3), np.float32) for _ in grids]
    map_shape = (-(-pixels.x.size // ROW_LENGTH), ROW_LENGTH)
    y, x = (
        np.resize((axis.astype(np.float32) + HALF) * np.float32(cells / size) - HALF, map_shape)
        for axis, cells, size in zip(
            (pixels.y, pixels.x), grids[0].shape, pixels.shape, strict=False
        )
    )
    return [_interpolate(grid, x, y)[: pixels.x.size] for grid in grids]


def _interpolate(grid: RgbF32, x: FloatArray, y: FloatArray) -> RgbF32:
    colours: RgbF32 = cv2.remap(grid, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return colours.reshape(-1, 3)

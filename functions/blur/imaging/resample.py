"""Pictures in other sizes. A pixel is a square, so centres lie at half a pixel.

OpenCV does the work, on as many threads as `cv2.setNumThreads` says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np

from blur.imaging.arrays import to_u8

QUICK_STEP = 4
"""OpenCV takes means of up to this many pixels a side at the speed of memory, of more not."""
BYTE_STEP = 4
"""Bytes are doubled as floats up to here: as bytes they lose 0.06 levels each time. The last two
times make most of the pixels, and floats would take twice as long."""

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sample = TypeVar("Sample", np.uint8, np.float32)


def downscale(picture: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Return the mean of each cell of `step` x `step` pixels, (ceil(H / step), ...).

    `step` is a power of two. A cell that reaches beyond the picture is completed by
    mirroring the edge.
    """
    first = min(step, QUICK_STEP)
    cells = _divided(picture, first)
    if step == first:
        return cells
    means = cells.astype(np.float32)  # so that what follows is rounded but once
    for _ in range((step // first).bit_length() - 1):
        means = _divided(means, 2)
    return to_u8(means)


def resize(picture: NDArray[Sample], shape: tuple[int, int]) -> NDArray[Sample]:
    """Return the picture in another (height, width), smaller or equal, by the mean of areas."""
    if picture.shape[:2] == shape:
        return picture
    return _resized(picture, shape, cv2.INTER_AREA)


def upscale(picture: NDArray[Sample], shape: tuple[int, int]) -> NDArray[Sample]:
    """Return the picture in another (height, width), bilinear: made for larger ones."""
    if picture.shape[:2] == shape:
        return picture
    return _resized(picture, shape, cv2.INTER_LINEAR)


def upscale_by(picture: NDArray[Sample], step: int, shape: tuple[int, int]) -> NDArray[Sample]:
    """Undo `downscale` for a power of two, smoothly, and cut to `shape`.

    Doubled bilinearly again and again, a picture becomes a quadratic B-spline, without the
    creases of one bilinear step (G. Chaikin, "An algorithm for high-speed curve generation",
    1974). That is a blur of variance (step**2 - 1) / 4, the same at every pixel.
    """
    if step > BYTE_STEP and picture.dtype == np.uint8:
        coarse = -(-shape[0] // BYTE_STEP), -(-shape[1] // BYTE_STEP)
        smooth = to_u8(upscale_by(picture.astype(np.float32), step // BYTE_STEP, coarse))
        picture, step = smooth.astype(picture.dtype, copy=False), BYTE_STEP
    while step > 1:
        step //= 2
        rows, columns = -(-shape[0] // step), -(-shape[1] // step)
        height, width = picture.shape[:2]
        picture = _resized(picture, (2 * height, 2 * width), cv2.INTER_LINEAR)[:rows, :columns]
    return np.ascontiguousarray(picture)


def upscale_window(
    picture: NDArray[np.float32], window: tuple[slice, slice], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return a window, (rows, columns), of a coarse picture enlarged to `shape`, bilinear."""
    rows, columns = window
    scale = picture.shape[0] / shape[0], picture.shape[1] / shape[1]
    places = [
        [scale[1], 0, (columns.start + 0.5) * scale[1] - 0.5],
        [0, scale[0], (rows.start + 0.5) * scale[0] - 0.5],
    ]
    size = (columns.stop - columns.start, rows.stop - rows.start)
    options = {"flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, "borderMode": cv2.BORDER_REPLICATE}
    enlarged: NDArray[np.float32] = cv2.warpAffine(picture, np.array(places), size, **options)
    return enlarged


def fit_within(shape: tuple[int, int], side: int) -> tuple[int, int]:
    """Return (height, width) with the longer side at most `side` and the aspect kept."""
    scale = min(1.0, side / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _divided(picture: NDArray[Sample], step: int) -> NDArray[Sample]:
    height, width = picture.shape[:2]
    rows, columns = -(-height // step), -(-width // step)
    below, right = rows * step - height, columns * step - width
    if below or right:
        picture = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REFLECT)
    return picture if step == 1 else _resized(picture, (rows, columns), cv2.INTER_AREA)


def _resized(
    picture: NDArray[Sample], shape: tuple[int, int], interpolation: int
) -> NDArray[Sample]:
    resized: NDArray[Sample] = cv2.resize(picture, shape[::-1], interpolation=interpolation)
    return resized

"""Resize images with OpenCV. Pixels are squares, so pixel centres lie at half coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np

from blur.imaging.arrays import to_u8

MAX_FAST_FACTOR = 4
"""OpenCV averages cells of at most this many pixels in width and height quickly."""
MAX_U8_FACTOR = 4
"""The maximum factor of upscaling in bytes: at each doubling, rounding makes the samples, 0..255,
darker by 0.06 on average. With a larger factor, the first doublings are computed in floats. The
last two doublings create most of the pixels, and would take twice as long in floats."""

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sample = TypeVar("Sample", np.uint8, np.float32)


def downscale(image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Return the mean of each cell of `factor` x `factor` pixels, (ceil(H / factor), ...).

    `factor` is a power of two. If a cell crosses the border, the missing pixels are mirrored.
    """
    first = min(factor, MAX_FAST_FACTOR)
    cells = _cell_means(image, first)
    if factor == first:
        return cells
    means = cells.astype(np.float32)  # round only once, at the end
    for _ in range((factor // first).bit_length() - 1):
        means = _cell_means(means, 2)
    return to_u8(means)


def resize(image: NDArray[Sample], shape: tuple[int, int]) -> NDArray[Sample]:
    """Return the image in a smaller or equal (height, width), by area averaging."""
    if image.shape[:2] == shape:
        return image
    return _cv_resize(image, shape, cv2.INTER_AREA)


def upscale(image: NDArray[Sample], shape: tuple[int, int]) -> NDArray[Sample]:
    """Return the image in a larger or equal (height, width), by bilinear interpolation."""
    if image.shape[:2] == shape:
        return image
    return _cv_resize(image, shape, cv2.INTER_LINEAR)


def upscale_by(image: NDArray[Sample], factor: int, shape: tuple[int, int]) -> NDArray[Sample]:
    """Return the image enlarged smoothly by `factor`, a power of two, and cropped to `shape`.

    With the factor of `downscale` and the shape of its input, the result has the input's shape.
    Repeated bilinear doubling converges to a quadratic B-spline, which has no creases
    (G. Chaikin, "An algorithm for high-speed curve generation", 1974). This enlargement is a blur
    with the variance (factor**2 - 1) / 4 at every pixel.
    """
    if factor > MAX_U8_FACTOR and image.dtype == np.uint8:
        coarse = -(-shape[0] // MAX_U8_FACTOR), -(-shape[1] // MAX_U8_FACTOR)
        smooth = to_u8(upscale_by(image.astype(np.float32), factor // MAX_U8_FACTOR, coarse))
        image, factor = smooth.astype(image.dtype, copy=False), MAX_U8_FACTOR
    while factor > 1:
        factor //= 2
        rows, columns = -(-shape[0] // factor), -(-shape[1] // factor)
        height, width = image.shape[:2]
        image = _cv_resize(image, (2 * height, 2 * width), cv2.INTER_LINEAR)[:rows, :columns]
    return np.ascontiguousarray(image)


def upscale_window(
    image: NDArray[np.float32], window: tuple[slice, slice], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return a part of the image after upscaling to `shape`; only this part is computed.

    `window` has the rows and the columns of the part in the upscaled image. The interpolation is
    bilinear.
    """
    rows, columns = window
    scale = image.shape[0] / shape[0], image.shape[1] / shape[1]
    transform = [
        [scale[1], 0, (columns.start + 0.5) * scale[1] - 0.5],
        [0, scale[0], (rows.start + 0.5) * scale[0] - 0.5],
    ]
    size = (columns.stop - columns.start, rows.stop - rows.start)
    options = {"flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, "borderMode": cv2.BORDER_REPLICATE}
    upscaled: NDArray[np.float32] = cv2.warpAffine(image, np.array(transform), size, **options)
    return upscaled


def crop_grid(
    grid: NDArray[np.float32], window: tuple[slice, slice], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return the part of `grid` that covers a part of an image.

    The grid covers the whole image, which has `shape`; `window` has the rows and the columns of the
    part in the image. The result is interpolated bilinearly; its cells are about as large as the
    grid's cells.
    """
    sides = zip(grid.shape, window, shape, strict=False)
    (rows, down, top), (columns, across, left) = (_cells(*side) for side in sides)
    if (rows, columns) == grid.shape[:2] and (down, across, top, left) == (1, 1, 0, 0):
        return grid
    transform = np.array([[across, 0, left], [0, down, top]])
    options = {"flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, "borderMode": cv2.BORDER_REPLICATE}
    part: NDArray[np.float32] = cv2.warpAffine(grid, transform, (columns, rows), **options)
    return part


def _cells(cells: int, span: slice, side: int) -> tuple[int, float, float]:
    """Return the number of new cells for a span of pixels, and their stride and offset in the grid.

    The grid has `cells` cells along a side of `side` pixels.
    """
    scale = cells / side
    length = (span.stop - span.start) * scale
    count = max(1, round(length))
    stride = length / count
    return count, stride, span.start * scale + (stride - 1) / 2


def rescale(image: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize to (height, width): by area averaging if the result is smaller, else bicubically."""
    if image.shape[:2] == shape:
        return image
    is_smaller = shape[0] * shape[1] < image.shape[0] * image.shape[1]
    return _cv_resize(image, shape, cv2.INTER_AREA if is_smaller else cv2.INTER_CUBIC)


def fit_within(shape: tuple[int, int], side: int) -> tuple[int, int]:
    """Return `shape`, (height, width), scaled down until its longer side is at most `side`."""
    scale = min(1.0, side / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _cell_means(image: NDArray[Sample], factor: int) -> NDArray[Sample]:
    height, width = image.shape[:2]
    rows, columns = -(-height // factor), -(-width // factor)
    below, right = rows * factor - height, columns * factor - width
    if below or right:
        image = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REFLECT)
    return image if factor == 1 else _cv_resize(image, (rows, columns), cv2.INTER_AREA)


def _cv_resize(
    image: NDArray[Sample], shape: tuple[int, int], interpolation: int
) -> NDArray[Sample]:
    resized: NDArray[Sample] = cv2.resize(image, shape[::-1], interpolation=interpolation)
    return resized

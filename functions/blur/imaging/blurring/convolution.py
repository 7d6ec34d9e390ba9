"""Normalised convolution: the weighted mean of colours under a kernel.

The weighted colours and the weights are convolved with the same kernel, and the first result is
divided by the second (H. Knutsson, C.-F. Westin, "Normalized and differential convolution", CVPR
1993). Pixels without weight have no influence: with the weight 1 - alpha, the background takes no
colour from the subject.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from blur.imaging.arrays import OPAQUE, to_alpha_f32, to_u8
from blur.imaging.resample import upscale
from blur.imaging.strips import for_each_strip, slices

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbF32, RgbU8
    from blur.imaging.blurring.lens import Lens

MIN_WEIGHT = np.float32(1e-9)
"""A total weight under the kernel counts as 0 if it is not larger than this value."""
BLOCK_CELLS = 256
"""The number of columns in a block. Blocks are small, so that most of them lie completely inside or
completely outside the layer; `_convolve_block` computes these blocks quickly."""


class BlurredLayer(NamedTuple):
    """A blurred layer: straight (not premultiplied) colours, (H, W, 3), and weights, (H, W).

    The weight of a cell is the mean of the weights under the kernel.
    """

    colours: RgbU8
    weights: AlphaU8


def normalised_convolution(
    colours: RgbU8, weights: AlphaU8, lens: Lens, fallback: RgbF32
) -> BlurredLayer:
    """Return the cells' colours, (H, W, 3), blurred with the cells' weights, (H, W).

    The cells are those of the grid of `lens`. A cell for which all weights under the kernel are 0
    gets the colour of `fallback`, which can have any size.
    """
    height, width = weights.shape
    result = BlurredLayer(upscale(to_u8(fallback), (height, width)), np.zeros_like(weights))

    def convolve_rows(rows: slice) -> None:
        vertical = Span.padded(rows, lens.radius_cells, height)
        for columns in slices(width, BLOCK_CELLS):
            horizontal = Span.padded(columns, lens.radius_cells, width)
            _convolve_block(colours, weights, (vertical, horizontal), lens, result)

    for_each_strip(weights.shape, convolve_rows)
    return result


class Span(NamedTuple):
    """Some rows or columns, and the rows or columns around them that the kernel covers."""

    own: slice
    around: slice
    inner: slice
    """The position of `own` within `around`."""

    @classmethod
    def padded(cls, own: slice, padding: int, size: int) -> Span:
        """Extend `own` by the padding on both sides, within 0..size."""
        around = slice(max(0, own.start - padding), min(size, own.stop + padding))
        return cls(own, around, slice(own.start - around.start, own.stop - around.start))


def _convolve_block(
    colours: RgbU8, weights: AlphaU8, spans: tuple[Span, Span], lens: Lens, result: BlurredLayer
) -> None:
    """Compute one block of `result`.

    In most blocks, all weights are `OPAQUE`, or all are 0. A block of the first kind is computed
    with the lens's `fast_path`, if it has one; a block of the second kind does not change.
    """
    rows, columns = spans
    own, inner = (rows.own, columns.own), (rows.inner, columns.inner)
    colours, weights = (part[rows.around, columns.around] for part in (colours, weights))
    if not weights.any():
        return
    if lens.fast_path is not None and weights.min() == OPAQUE:
        result.colours[own], result.weights[own] = lens.fast_path(colours)[inner], OPAQUE
        return
    alpha = to_alpha_f32(weights)
    total = lens.convolve(alpha)[inner]
    scale = np.reciprocal(np.maximum(total, MIN_WEIGHT))
    channels = (cv2.extractChannel(colours, channel) for channel in range(3))
    sums = (lens.convolve(cv2.LUT(values, lens.to_linear) * alpha)[inner] for values in channels)
    means = cv2.merge([lens.from_linear(weighted * scale) for weighted in sums])
    cv2.copyTo(means, (total > MIN_WEIGHT).view(np.uint8), result.colours[own])
    result.weights[own] = to_u8(total * np.float32(OPAQUE))

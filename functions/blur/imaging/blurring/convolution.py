"""Normalised convolution: the weighted mean of colours under a kernel.

H. Knutsson, C.-F. Westin, "Normalized and differential convolution", CVPR 1993: spread the
weighted colours and the weights with one kernel and divide. What has no weight has no say,
so a background blurred with the weight 1 - alpha takes nothing of the subject.
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


LEAST = np.float32(1e-9)
"""Total weight up to which nothing is said to lie under the kernel."""


BLOCK_CELLS = 256
"""Columns of a block: small enough for many to show one layer alone."""


class BlurredLayer(NamedTuple):
    """A blurred layer: straight colours, (H, W, 3), and the weight under the kernel, (H, W)."""

    colours: RgbU8
    weights: AlphaU8


def normalised_convolution(
    colours: RgbU8, weights: AlphaU8, lens: Lens, elsewhere: RgbF32
) -> BlurredLayer:
    """Spread cells, (H, W, 3), by their weights, (H, W), on the lens's own grid.

    Cells that no weight reaches get the colours of `elsewhere`, of any size.
    """
    height, width = weights.shape
    soft = BlurredLayer(upscale(to_u8(elsewhere), (height, width)), np.zeros_like(weights))

    def spread(rows: slice) -> None:
        for columns in slices(width, BLOCK_CELLS):
            tall, wide = (
                Span.of(rows, lens.radius_cells, height),
                Span.of(columns, lens.radius_cells, width),
            )
            _spread((colours, weights), (tall, wide), lens, soft)

    for_each_strip(weights.shape, spread)
    return soft


class Span(NamedTuple):
    """Some rows or columns, with those that the kernel reaches around them."""

    own: slice
    around: slice
    inner: slice
    """Where the own ones lie within those around."""

    @classmethod
    def of(cls, own: slice, reach: int, size: int) -> Span:
        """Reach as far as the picture goes."""
        around = slice(max(0, own.start - reach), min(size, own.stop + reach))
        return cls(own, around, slice(own.start - around.start, own.stop - around.start))


def _spread(
    picture: tuple[RgbU8, AlphaU8], spans: tuple[Span, Span], lens: Lens, soft: BlurredLayer
) -> None:
    """Fill one block of `soft`. Most blocks show one layer alone, and are simple."""
    tall, wide = spans
    own, inner = (tall.own, wide.own), (tall.inner, wide.inner)
    colours, weights = (part[tall.around, wide.around] for part in picture)
    if not weights.any():
        return
    if lens.fast_path is not None and weights.min() == OPAQUE:
        soft.colours[own], soft.weights[own] = lens.fast_path(colours)[inner], OPAQUE
        return
    shares = to_alpha_f32(weights)
    total = lens.spread(shares)[inner]
    scale = np.reciprocal(np.maximum(total, LEAST))
    planes = (cv2.extractChannel(colours, channel) for channel in range(3))
    lights = (lens.spread(cv2.LUT(plane, lens.to_linear) * shares)[inner] for plane in planes)
    found = cv2.merge([lens.from_linear(light * scale) for light in lights])
    cv2.copyTo(found, (total > LEAST).view(np.uint8), soft.colours[own])
    soft.weights[own] = to_u8(total * np.float32(OPAQUE))

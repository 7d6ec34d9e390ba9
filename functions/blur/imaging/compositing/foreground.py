"""Estimate the colours of foreground and background in pixels that show both, such as hair.

The estimate is rough and is made once, on a small grid: each layer's colours in the soft edge are
filled in from the pixels around the edge that show almost only this layer (`fill`). A pixel
I = alpha * F + (1 - alpha) * B, on the grid or in the full photo, then differs a little from the
composite of the estimated layers. Blur-fusion divides this difference between F and B: M. Forte,
"Approximate Fast Foreground Colour Estimation", ICIP 2021.

Two things differ from the paper. First, B is estimated in the same way as F: B is blurred later,
and without an estimate, the blur would spread the subject's colour from mixed pixels into the
background as a halo. Second, the whole difference is divided between F and B, so that the composite
of the layers is the photo.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from blur.imaging.arrays import OPAQUE, to_alpha_f32, to_u8
from blur.imaging.compositing.fill import fill
from blur.imaging.compositing.sparse_pixels import (
    SparsePixels,
    find_mixed,
    put_colours,
    sample_grids,
    take_alpha,
    take_colours,
)
from blur.imaging.resample import fit_within, resize
from blur.imaging.strips import for_each_strip

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaF32, AlphaU8, RgbF32, RgbU8

PURITY = ((np.arange(256) / OPAQUE) ** 48).astype(np.float32)
"""A table with the weight of a pixel's colour in the estimate of a layer. The index is the layer's
alpha in the pixel, 0..255; for an alpha of 0.986, the weight is 1/2."""
GRID_SIDE_PX = 320
"""The longer side of the grid on which the layers are estimated."""


class Layer(IntEnum):
    """One of the two layers of a photo: an index of `LayerColours`."""

    FOREGROUND = 0
    BACKGROUND = 1


class LayerColours(NamedTuple):
    """The straight (not premultiplied) colours of both layers, on any grid or at sparse pixels."""

    foreground: RgbF32
    background: RgbF32


def estimate_layers(photo: RgbU8, matte: AlphaU8, alpha: AlphaU8 | None = None) -> LayerColours:
    """Estimate the colours of both layers in every cell of a small grid.

    `photo` and `alpha` can be downscaled copies; the matte can have any size. Pixels that are
    transparent in the photo's own `alpha` have no influence.
    """
    shape = fit_within(photo.shape[:2], GRID_SIDE_PX)
    grid_photo = resize(photo, shape)
    colours = grid_photo.astype(np.float32)
    grid_matte = resize(matte, shape)
    foreground_weights = cv2.LUT(grid_matte, PURITY)
    background_weights = cv2.LUT(OPAQUE - grid_matte, PURITY)
    if alpha is not None:
        visible = to_alpha_f32(resize(alpha, shape))
        foreground_weights = foreground_weights * visible
        background_weights = background_weights * visible
    layers = LayerColours(fill(colours, foreground_weights), fill(colours, background_weights))
    mixed = unmix(grid_photo, grid_matte, layers, slice(0, shape[0]))
    for layer, unmixed in zip(layers, mixed.layers, strict=True):
        layer.reshape(-1, 3)[mixed.pixels.indices] = unmixed
    return layers


def blur_fusion(photo: RgbF32, alpha: AlphaF32, estimate: LayerColours) -> LayerColours:
    """Return the F and B whose composite is the photo and that are nearest to the estimate.

    All arrays are (n, 3).

    With the difference d = (I - alpha * F - (1 - alpha) * B) / (alpha**2 + (1 - alpha)**2), the
    results are F + alpha * d and B + (1 - alpha) * d, clipped to 0..255.
    """
    foreground, background = estimate
    rest = 1 - alpha
    difference = (photo - background - alpha * (foreground - background)) / (
        alpha * alpha + rest * rest
    )
    return LayerColours(
        np.clip(foreground + alpha * difference, 0, OPAQUE),
        np.clip(background + rest * difference, 0, OPAQUE),
    )


class UnmixedPixels(NamedTuple):
    """The pixels of an image that show both layers, and their colours in each layer."""

    pixels: SparsePixels
    alpha: AlphaF32
    """The alpha of each pixel, repeated for each channel, (n, 3)."""
    layers: LayerColours
    """The colours of the pixels in each layer: an array, (n, 3), for each layer."""


def unmix(photo: RgbU8, matte: AlphaU8, layers: LayerColours, rows: slice) -> UnmixedPixels:
    """Return the pixels of `rows` with 0 < matte < 255 and their colours in both layers.

    `layers` has the estimated colours of both layers on a coarse grid.
    """
    pixels = find_mixed(matte, rows)
    alpha = take_alpha(matte, pixels)
    estimate = LayerColours(*sample_grids(layers, pixels))
    fused = blur_fusion(take_colours(photo, pixels), alpha, estimate)
    return UnmixedPixels(pixels, alpha, fused)


def decontaminate(photo: RgbU8, matte: AlphaU8, layers: LayerColours, layer: Layer) -> RgbU8:
    """Return the photo; pixels that show both layers get the colours of `layer` alone."""
    result = photo.copy()

    def decontaminate_rows(rows: slice) -> None:
        mixed = unmix(photo, matte, layers, rows)
        put_colours(result, mixed.pixels, to_u8(mixed.layers[layer]))

    for_each_strip(matte.shape, decontaminate_rows)
    return result

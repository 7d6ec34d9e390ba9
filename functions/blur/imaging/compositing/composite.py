"""Composite images by alpha."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from blur.imaging.arrays import OPAQUE, to_alpha_f32, to_u8
from blur.imaging.compositing.colour_extension import FINE_PX, extend_colours, put_blocks
from blur.imaging.compositing.foreground import LayerColours, UnmixedPixels, unmix
from blur.imaging.compositing.sparse_pixels import put_colours, take_colours
from blur.imaging.strips import for_each_strip

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8

MAX_CHANGE = 0.5
"""The largest change that rounding causes in a sample from 0 to 255."""


def composite(foreground: RgbU8, background: RgbU8, alpha: AlphaU8) -> RgbU8:
    """Return alpha * F + (1 - alpha) * B, rounded, for straight (not premultiplied) F and B.

    F, B and the result are (H, W, 3).
    Alpha 255 gives exactly the foreground's pixel, alpha 0 exactly the background's
    (T. Porter, T. Duff, "Compositing digital images", SIGGRAPH 1984).
    """
    blended = np.empty_like(foreground)

    def blend_rows(rows: slice) -> None:
        weights = to_alpha_f32(alpha[rows])
        blended[rows] = cv2.blendLinear(foreground[rows], background[rows], weights, 1 - weights)

    for_each_strip(alpha.shape, blend_rows)
    return blended


def composite_over(photo: RgbU8, matte: AlphaU8, layers: LayerColours, canvas: RgbU8) -> None:
    """Composite the photo's subject over a canvas, (H, W, 3), in place.

    This is `composite` with the subject's own colours, without colours of the old background.
    Only pixels that show both layers are computed; opaque pixels are copied from the photo, and
    transparent ones keep the canvas.
    """

    def composite_rows(rows: slice) -> None:
        opaque = (matte[rows] == OPAQUE).view(np.uint8)
        cv2.copyTo(photo[rows], opaque, canvas[rows])
        pixels, alpha, colours = unmix(photo, matte, layers, rows)
        behind = take_colours(canvas, pixels)
        put_colours(canvas, pixels, to_u8(behind + alpha * (colours.foreground - behind)))

    for_each_strip(matte.shape, composite_rows)


def cutout_colours(photo: RgbU8, matte: AlphaU8, layers: LayerColours) -> RgbU8:
    """Return straight (not premultiplied) colours of the subject and the area around it, (H, W, 3).

    The soft edge contains no colour from the old background. The subject's colours continue for at
    least `REACH_PX` pixels where the matte is 0, so that viewers that interpolate colours without
    weighting them by alpha show no fringe. Farther away, the colour is constant.
    """
    result = np.empty_like(photo)
    blocks = extend_colours(layers.foreground, matte)

    def put_rows(rows: slice) -> None:
        put_blocks(result, blocks, rows)
        cv2.copyTo(photo[rows], matte[rows], result[rows])
        mixed = unmix(photo, matte, layers, rows)
        put_colours(result, mixed.pixels, _with_blocks(mixed, blocks))

    for_each_strip(matte.shape, put_rows, FINE_PX)
    return result


def _with_blocks(mixed: UnmixedPixels, blocks: RgbU8) -> RgbU8:
    """Return each mixed pixel's colour, (n, 3), in 8 bits: the foreground's or the pixel's block's.

    A pixel is faint if its block's colour changes its samples, 0..255, by at most 0.5 over any
    background. A faint pixel gets the colour of its block, because equal colours compress better.
    """
    x, y = mixed.pixels.x // FINE_PX, mixed.pixels.y // FINE_PX
    colours = blocks.reshape(-1, 3).take(y * blocks.shape[1] + x, axis=0)
    is_small = np.abs(mixed.layers.foreground - colours) * mixed.alpha <= MAX_CHANGE
    red, green, blue = is_small.T
    is_faint = (red & green & blue)[:, np.newaxis]
    return np.where(is_faint, colours, to_u8(mixed.layers.foreground))


def multiply(alpha: AlphaU8, other: AlphaU8 | None) -> AlphaU8:
    """Return the product of two alphas, rounded; None means opaque everywhere."""
    if other is None:
        return alpha
    product = alpha.astype(np.uint16) * other
    return ((product + OPAQUE // 2) // OPAQUE).astype(np.uint8)

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
"""Rounding changes a sample, 0..255, by at most this value."""


def composite(foreground: RgbU8, background: RgbU8, alpha: AlphaU8) -> RgbU8:
    """Return alpha * F + (1 - alpha) * B, rounded, for straight (not premultiplied) F and B.

    F, B and the result are (H, W, 3), and alpha is (H, W). Alpha 255 gives exactly the foreground's
    pixel, and alpha 0 exactly the background's pixel (T. Porter, T. Duff, "Compositing digital
    images", SIGGRAPH 1984).
    """
    blended = np.empty_like(foreground)

    def blend_rows(rows: slice) -> None:
        weights = to_alpha_f32(alpha[rows])
        blended[rows] = cv2.blendLinear(foreground[rows], background[rows], weights, 1 - weights)

    for_each_strip(alpha.shape, blend_rows)
    return blended


def composite_over(photo: RgbU8, matte: AlphaU8, layers: LayerColours, canvas: RgbU8) -> None:
    """Composite the photo's subject over a canvas, (H, W, 3), in place.

    This is like `composite`, but with the colours of the subject alone, without those of the
    photo's background. Only pixels that show both layers are computed. Opaque pixels are copied
    from the photo, and transparent pixels do not change.
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

    The soft edge contains no colour of the photo's background. Where the matte is 0, the subject's
    colours continue for at least `REACH_PX` pixels, so that viewers that interpolate colours
    without weighting them by alpha show no fringe. Farther away, the colour is constant.
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
    """Return the colours of the mixed pixels, uint8 (n, 3); faint pixels get their block's colour.

    Other pixels get the colour of the foreground. A pixel is faint if its block's colour changes
    the composite over any background by at most `MAX_CHANGE`. Faint pixels get this colour because
    equal colours compress better.
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

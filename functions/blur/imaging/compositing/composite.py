"""Put images together by alpha."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from blur.imaging.arrays import OPAQUE, to_alpha_f32, to_u8
from blur.imaging.compositing.foreground import LayerColours, unmix
from blur.imaging.compositing.reach import BLOCK_PX, Extension, constant_colour
from blur.imaging.compositing.sparse_pixels import put_colours, take_colours
from blur.imaging.strips import for_each_strip

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8


def composite(foreground: RgbU8, background: RgbU8, alpha: AlphaU8) -> RgbU8:
    """Composite straight colour: alpha * F + (1 - alpha) * B, rounded, all (H, W, 3).

    Alpha 255 gives exactly the foreground's pixel, alpha 0 exactly the background's
    (T. Porter, T. Duff, "Compositing digital images", SIGGRAPH 1984).
    """
    weights = to_alpha_f32(alpha)
    blended: RgbU8 = cv2.blendLinear(foreground, background, weights, 1 - weights)
    return blended


def composite_over(photo: RgbU8, matte: AlphaU8, layers: LayerColours, canvas: RgbU8) -> None:
    """Composite the photo's subject over a canvas, (H, W, 3), in place.

    This is `composite` with the decontaminated subject. Only pixels that show both layers are
    computed; the others are copied or kept.
    """

    def composite_rows(rows: slice) -> None:
        opaque = (matte[rows] == OPAQUE).view(np.uint8)
        cv2.copyTo(photo[rows], opaque, canvas[rows])
        pixels, alpha, colours = unmix(photo, matte, layers, rows)
        behind = take_colours(canvas, pixels)
        put_colours(canvas, pixels, to_u8(behind + alpha * (colours.foreground - behind)))

    for_each_strip(matte.shape, composite_rows)


def cutout_colours(photo: RgbU8, matte: AlphaU8, layers: LayerColours) -> RgbU8:
    """Return the straight colours of the subject, (H, W, 3), also around it.

    The soft edge has no colour of the old background. The subject's colours continue for at least
    `REACH_PX` pixels where the matte is 0, so that viewers which interpolate straight colour show
    no fringe. Beyond, the colour is constant.
    """
    result = np.empty_like(photo)
    extension = Extension(layers.foreground, matte)
    beyond = np.tile(constant_colour(layers.foreground), (matte.shape[1], 1))

    def put_rows(rows: slice) -> None:
        result[rows] = beyond
        for index in range(rows.start // BLOCK_PX, -(-rows.stop // BLOCK_PX)):
            extension.put(result, index)
        cv2.copyTo(photo[rows], matte[rows], result[rows])
        mixed = unmix(photo, matte, layers, rows)
        put_colours(result, mixed.pixels, to_u8(mixed.layers.foreground))

    for_each_strip(matte.shape, put_rows, BLOCK_PX)
    return result


def multiply(alpha: AlphaU8, other: AlphaU8 | None) -> AlphaU8:
    """Return the product of two alphas, rounded; None is opaque everywhere."""
    if other is None:
        return alpha
    product = alpha.astype(np.uint16) * other
    return ((product + OPAQUE // 2) // OPAQUE).astype(np.uint8)

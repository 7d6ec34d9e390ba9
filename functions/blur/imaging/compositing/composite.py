"""One picture over another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from blur.imaging.arrays import OPAQUE, to_alpha_f32, to_u8
from blur.imaging.compositing.foreground import LayerColours, unmix
from blur.imaging.compositing.sparse_pixels import put_colours, take_colours
from blur.imaging.strips import for_each_strip

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8


def composite(foreground: RgbU8, background: RgbU8, alpha: AlphaU8) -> RgbU8:
    """Composite straight colour: alpha * F + (1 - alpha) * B, rounded, all (H, W, 3).

    Where alpha is 255 the foreground's pixel comes out exactly, where it is 0 the
    background's (T. Porter, T. Duff, "Compositing digital images", SIGGRAPH 1984).
    """
    share = to_alpha_f32(alpha)
    blended: RgbU8 = cv2.blendLinear(foreground, background, share, 1 - share)
    return blended


def composite_over(photo: RgbU8, matte: AlphaU8, layers: LayerColours, canvas: RgbU8) -> None:
    """Put the photo's subject over a canvas, (H, W, 3), in place.

    That is `composite` with the subject's own colours, which mixed pixels give by way of the
    layers; everywhere else no arithmetic is needed.
    """

    def compose(rows: slice) -> None:
        opaque = (matte[rows] == OPAQUE).view(np.uint8)
        cv2.copyTo(photo[rows], opaque, canvas[rows])
        points, share, shown = unmix(photo, matte, layers, rows)
        behind = take_colours(canvas, points)
        put_colours(canvas, points, to_u8(behind + share * (shown.foreground - behind)))

    for_each_strip(matte.shape, compose)


def multiply(one: AlphaU8, other: AlphaU8 | None) -> AlphaU8:
    """Return the coverage that two leave together, rounded; None covers everything."""
    if other is None:
        return one
    product = one.astype(np.uint16) * other
    return ((product + OPAQUE // 2) // OPAQUE).astype(np.uint8)

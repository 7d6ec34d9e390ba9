"""One picture over another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from blur.imaging.arrays import OPAQUE, to_bytes, to_shares
from blur.imaging.compositing.foreground import Layers, unmix
from blur.imaging.compositing.points import put, taken
from blur.imaging.strips import on_strips

if TYPE_CHECKING:
    from blur.imaging.arrays import Coverage, Pixels


def over(foreground: Pixels, background: Pixels, alpha: Coverage) -> Pixels:
    """Composite straight colour: alpha * F + (1 - alpha) * B, rounded, all (H, W, 3).

    Where alpha is 255 the foreground's pixel comes out exactly, where it is 0 the
    background's (T. Porter, T. Duff, "Compositing digital images", SIGGRAPH 1984).
    """
    share = to_shares(alpha)
    blended: Pixels = cv2.blendLinear(foreground, background, share, 1 - share)
    return blended


def place(photo: Pixels, matte: Coverage, layers: Layers, canvas: Pixels) -> None:
    """Put the photo's subject over a canvas, (H, W, 3), in place.

    That is `over` with the subject's own colours, which mixed pixels give by way of the
    layers; everywhere else no arithmetic is needed.
    """

    def compose(rows: slice) -> None:
        opaque = (matte[rows] == OPAQUE).view(np.uint8)
        cv2.copyTo(photo[rows], opaque, canvas[rows])
        points, share, shown = unmix(photo, matte, layers, rows)
        behind = taken(canvas, points)
        put(canvas, points, to_bytes(behind + share * (shown.foreground - behind)))

    on_strips(matte.shape, compose)


def multiply(one: Coverage, other: Coverage | None) -> Coverage:
    """Return the coverage that two leave together, rounded; None covers everything."""
    if other is None:
        return one
    product = one.astype(np.uint16) * other
    return ((product + OPAQUE // 2) // OPAQUE).astype(np.uint8)

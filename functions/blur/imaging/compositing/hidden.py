"""The colours under a photo's own transparency: leftovers of the program that wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from blur.imaging.arrays import to_alpha_f32, to_u8
from blur.imaging.compositing.fill import fill
from blur.imaging.resample import fit_within, resize, upscale_window
from blur.imaging.strips import for_each_strip

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbF32, RgbU8

GRID_PX = 320
LEAST = np.float32(1e-6)


def fill_transparent(photo: RgbU8, alpha: AlphaU8) -> RgbU8:
    """Return the photo with what alpha 0 hides replaced by the nearest colours that are seen.

    So nothing of the leftovers can leak, whatever is averaged afterwards.
    """
    hidden = cv2.inRange(alpha, 0, 0)
    if not hidden.any():
        return photo
    colours, result = _nearest(photo, cv2.bitwise_not(hidden)), photo.copy()

    def paint(rows: slice) -> None:
        window = (rows, slice(0, alpha.shape[1]))
        made = to_u8(upscale_window(colours, window, alpha.shape))
        cv2.copyTo(made, hidden[rows], result[rows])

    for_each_strip(alpha.shape, paint)
    return result


def _nearest(photo: RgbU8, seen: AlphaU8) -> RgbF32:
    """Return the colours that are seen, and around them the nearest, on a coarse grid."""
    shape = fit_within(seen.shape, GRID_PX)
    weights = to_alpha_f32(resize(seen, shape))
    shown = resize(cv2.copyTo(photo, seen), shape).astype(np.float32)
    return fill(shown * np.reciprocal(np.maximum(weights, LEAST))[..., np.newaxis], weights)

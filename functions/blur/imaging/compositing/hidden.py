"""The colours under a photo's own transparency: leftovers of the program that wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from blur.imaging.arrays import to_bytes, to_shares
from blur.imaging.compositing.fill import fill
from blur.imaging.resample import fitted, window_of, within
from blur.imaging.strips import on_strips

if TYPE_CHECKING:
    from blur.imaging.arrays import Colours, Coverage, Pixels

GRID_PX = 320
LEAST = np.float32(1e-6)


def conceal(photo: Pixels, alpha: Coverage) -> Pixels:
    """Return the photo with what alpha 0 hides replaced by the nearest colours that are seen.

    So nothing of the leftovers can leak, whatever is averaged afterwards.
    """
    hidden = cv2.inRange(alpha, 0, 0)
    if not hidden.any():
        return photo
    colours, result = _nearest(photo, cv2.bitwise_not(hidden)), photo.copy()

    def paint(rows: slice) -> None:
        window = (rows, slice(0, alpha.shape[1]))
        made = to_bytes(window_of(colours, window, alpha.shape))
        cv2.copyTo(made, hidden[rows], result[rows])

    on_strips(alpha.shape, paint)
    return result


def _nearest(photo: Pixels, seen: Coverage) -> Colours:
    """Return the colours that are seen, and around them the nearest, on a coarse grid."""
    shape = within(seen.shape, GRID_PX)
    weights = to_shares(fitted(seen, shape))
    shown = fitted(cv2.copyTo(photo, seen), shape).astype(np.float32)
    return fill(shown * np.reciprocal(np.maximum(weights, LEAST))[..., np.newaxis], weights)

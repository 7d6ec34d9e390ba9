"""The colours under a photo's own transparency: leftovers of the program that wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from blur.imaging.arrays import OPAQUE, to_bytes, to_shares
from blur.imaging.fill import fill
from blur.imaging.resample import enlarged, fitted, within

if TYPE_CHECKING:
    from blur.imaging.arrays import Colours, Coverage, Pixels

GRID_PX = 320
LEAST = np.float32(1e-6)


def conceal(photo: Pixels, alpha: Coverage) -> Pixels:
    """Return the photo with what alpha 0 hides replaced by the nearest colours that are seen.

    So nothing of the leftovers can leak, whatever is averaged afterwards.
    """
    seen = np.where(alpha > 0, np.uint8(OPAQUE), np.uint8(0))
    shape = within(alpha.shape, GRID_PX)
    weights = to_shares(fitted(seen, shape))
    shown = fitted(np.where(seen[..., np.newaxis], photo, np.uint8(0)), shape).astype(np.float32)
    means: Colours = shown * np.reciprocal(np.maximum(weights, LEAST))[..., np.newaxis]
    result = to_bytes(enlarged(fill(means, weights), alpha.shape))
    cv2.copyTo(photo, seen, result)
    return result

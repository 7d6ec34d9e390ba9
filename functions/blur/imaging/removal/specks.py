"""Remove faint specks from a matte, so that a crop is not larger because of an invisible speck."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8

HALF_OPAQUE = 128
"""A region belongs to the subject if one of its pixels has at least this alpha."""


def remove_specks(matte: AlphaU8) -> AlphaU8:
    """Return the matte, (H, W), without the connected regions that are faint everywhere.

    If all regions are faint, the matte does not change.
    """
    _, regions = cv2.connectedComponents((matte > 0).view(np.uint8))
    is_part = np.zeros(int(regions.max()) + 1, np.bool_)
    is_part[regions[matte >= HALF_OPAQUE]] = True
    return np.where(is_part[regions], matte, np.uint8(0)) if is_part.any() else matte

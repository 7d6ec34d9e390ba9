"""Colours for where there are none: those of the nearest weighted pixels, by push and pull.

S. Gortler, R. Grzeszczuk, R. Szeliski, M. Cohen, "The Lumigraph", SIGGRAPH 1996, 3.4: sum
weighted colours up a pyramid, and on the way down let each level fill what the finer one
does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from blur.imaging.resample import upscale_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaF32, RgbF32

TRUST = np.float32(4)
"""A pixel with a quarter of the weight or more needs no help of the coarser level."""
ONE = np.float32(1)
LEAST = np.float32(1e-6)
"""Weight below which a pixel knows nothing."""


def fill(colours: RgbF32, weights: AlphaF32) -> RgbF32:
    """Return the colours, (H, W, 3), with those of little weight, (H, W), made up by others.

    Without any weight at all, everything counts alike.
    """
    known = weights >= LEAST  # so that no sum of weights is that small either, except 0
    return _pull(colours, weights * known if known.any() else np.ones_like(weights))


def _pull(colours: RgbF32, weights: AlphaF32) -> RgbF32:
    height, width = weights.shape
    if height == width == 1:
        return colours
    coarse = upscale_by(_pull(*_push(colours, weights)), 2, (height, width))
    filled: RgbF32 = coarse + _thrice(np.minimum(weights * TRUST, ONE)) * (colours - coarse)
    return filled


def _push(colours: RgbF32, weights: AlphaF32) -> tuple[RgbF32, AlphaF32]:
    """Sum weights over two by two pixels; more than 1 in all counts as 1, as in the paper."""
    height, width = weights.shape
    odd = height % 2, width % 2
    sums, total = _sum_of_four(colours * _thrice(weights), odd), _sum_of_four(weights, odd)
    return sums / _thrice(np.maximum(total, LEAST)), np.minimum(total, ONE)


def _sum_of_four(plane: NDArray[np.float32], odd: tuple[int, int]) -> NDArray[np.float32]:
    even = cv2.copyMakeBorder(plane, 0, odd[0], 0, odd[1], cv2.BORDER_CONSTANT)
    size = (even.shape[1] // 2, even.shape[0] // 2)
    sums: NDArray[np.float32] = 4 * cv2.resize(even, size, interpolation=cv2.INTER_AREA)
    return sums


def _thrice(plane: AlphaF32) -> RgbF32:
    """Repeat (H, W) for each channel: numpy is slow to broadcast over so short an axis."""
    repeated: RgbF32 = cv2.cvtColor(plane, cv2.COLOR_GRAY2RGB)
    return repeated

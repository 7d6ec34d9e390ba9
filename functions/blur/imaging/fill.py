"""Colours for where there are none: those of the nearest weighted pixels, by push and pull.

S. Gortler, R. Grzeszczuk, R. Szeliski, M. Cohen, "The Lumigraph", SIGGRAPH 1996, 3.4: sum
weighted colours up a pyramid, and on the way down let each level fill what the finer one
does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from blur.imaging.resample import enlarged_by

if TYPE_CHECKING:
    from blur.imaging.arrays import Colours, Shares

TRUST = np.float32(4)
"""A pixel with a quarter of the weight or more needs no help of the coarser level."""
LEAST = np.float32(1e-6)
"""Weight below which a cell knows nothing."""


def fill(colours: Colours, weights: Shares) -> Colours:
    """Return the colours, (H, W, 3), with those of little weight, (H, W), made up by others.

    Without any weight at all, everything counts alike.
    """
    if float(weights.max()) < LEAST:
        weights = np.ones_like(weights)
    return _pull(colours, weights)


def _pull(colours: Colours, weights: Shares) -> Colours:
    height, width = weights.shape
    if height == width == 1:
        return colours
    coarse = enlarged_by(_pull(*_push(colours, weights)), 2, (height, width))
    trust = np.minimum(weights * TRUST, np.float32(1))[..., np.newaxis]
    filled: Colours = coarse + trust * (colours - coarse)
    return filled


def _push(colours: Colours, weights: Shares) -> tuple[Colours, Shares]:
    """Sum weights over two by two pixels; more than 1 in all counts as 1, as in the paper."""
    height, width = weights.shape
    weighted = np.dstack((colours * weights[..., np.newaxis], weights))
    even = cv2.copyMakeBorder(weighted, 0, height % 2, 0, width % 2, cv2.BORDER_CONSTANT)
    size = (even.shape[1] // 2, even.shape[0] // 2)
    sums = 4 * cv2.resize(even, size, interpolation=cv2.INTER_AREA)
    total = sums[..., 3]
    means = sums[..., :3] / np.maximum(total, LEAST)[..., np.newaxis]
    return means, np.minimum(total, np.float32(1))

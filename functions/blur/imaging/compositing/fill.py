"""Fill pixels whose colour is unknown with the colours of the nearest known pixels.

The method is push and pull (S. Gortler, R. Grzeszczuk, R. Szeliski, M. Cohen, "The Lumigraph",
SIGGRAPH 1996, section 3.4). The push builds a pyramid of coarser and coarser levels from sums of
weighted colours. The pull then fills the gaps of each level from the coarser level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from blur.imaging.arrays import to_alpha_f32, to_u8
from blur.imaging.resample import fit_within, resize, upscale_by, upscale_window
from blur.imaging.strips import for_each_strip

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaF32, AlphaU8, FloatArray, RgbF32, RgbU8

WEIGHT_SCALE = np.float32(4)
"""A pixel with a weight of 1/4 or more takes no colour from the coarser level of the pyramid."""
ONE = np.float32(1)
MIN_WEIGHT = np.float32(1e-6)
"""A weight smaller than this counts as 0."""
GRID_SIDE_PX = 320
"""The longer side of the grid on which colours for transparent pixels are computed."""


def fill_transparent(photo: RgbU8, alpha: AlphaU8) -> RgbU8:
    """Return the photo with pixels of alpha 0 replaced by the nearest visible colours.

    Programs leave arbitrary colours in pixels with alpha 0. Without this step, the arbitrary
    colours would be visible in averages over neighbouring pixels.
    """
    transparent = cv2.inRange(alpha, 0, 0)
    if not transparent.any():
        return photo
    colours, result = _nearest_visible(photo, cv2.bitwise_not(transparent)), photo.copy()

    def fill_rows(rows: slice) -> None:
        window = (rows, slice(0, alpha.shape[1]))
        filled = to_u8(upscale_window(colours, window, alpha.shape))
        cv2.copyTo(filled, transparent[rows], result[rows])

    for_each_strip(alpha.shape, fill_rows)
    return result


def _nearest_visible(photo: RgbU8, visible: AlphaU8) -> RgbF32:
    """Return colours on a coarse grid; a cell without visible pixels gets the nearest colours."""
    shape = fit_within(visible.shape, GRID_SIDE_PX)
    weights = to_alpha_f32(resize(visible, shape))
    weighted = resize(cv2.copyTo(photo, visible), shape).astype(np.float32)
    colours = weighted * np.reciprocal(np.maximum(weights, MIN_WEIGHT))[..., np.newaxis]
    return fill(colours, weights)


def fill(colours: RgbF32, weights: AlphaF32) -> RgbF32:
    """Return the colours, (H, W, 3), with unknown colours replaced by the colours around them.

    `weights`, (H, W), are 0 where a colour is unknown, and 1 where it is known; values in between
    are possible. If all weights are 0, all pixels count equally.
    """
    # Weights below MIN_WEIGHT count as 0, so each sum of weights is 0 or at least MIN_WEIGHT.
    has_weight = weights >= MIN_WEIGHT
    return _pull(colours, weights * has_weight if has_weight.any() else np.ones_like(weights))


def _pull(colours: RgbF32, weights: AlphaF32) -> RgbF32:
    height, width = weights.shape
    if height == width == 1:
        return colours
    coarse = upscale_by(_pull(*_push(colours, weights)), 2, (height, width))
    own_share = _repeat_channels(np.minimum(weights * WEIGHT_SCALE, ONE))
    filled: RgbF32 = coarse + own_share * (colours - coarse)
    return filled


def _push(colours: RgbF32, weights: AlphaF32) -> tuple[RgbF32, AlphaF32]:
    """Return the weighted mean colour and the total weight of each block of 2 x 2 pixels.

    A total weight above 1 becomes 1, as in "The Lumigraph".
    """
    height, width = weights.shape
    odd = height % 2, width % 2
    sums = _sum_of_four(colours * _repeat_channels(weights), odd)
    total = _sum_of_four(weights, odd)
    return sums / _repeat_channels(np.maximum(total, MIN_WEIGHT)), np.minimum(total, ONE)


def _sum_of_four(plane: FloatArray, odd: tuple[int, int]) -> FloatArray:
    even = cv2.copyMakeBorder(plane, 0, odd[0], 0, odd[1], cv2.BORDER_CONSTANT)
    size = (even.shape[1] // 2, even.shape[0] // 2)
    sums: FloatArray = 4 * cv2.resize(even, size, interpolation=cv2.INTER_AREA)
    return sums


def _repeat_channels(plane: AlphaF32) -> RgbF32:
    """Repeat a plane, (H, W), for 3 channels; numpy broadcasts slowly over an axis of length 3."""
    repeated: RgbF32 = cv2.cvtColor(plane, cv2.COLOR_GRAY2RGB)
    return repeated

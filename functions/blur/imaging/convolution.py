"""Normalised convolution: the weighted mean of colours under a kernel.

H. Knutsson, C.-F. Westin, "Normalized and differential convolution", CVPR 1993: spread the
weighted colours and the weights with one kernel and divide. What has no weight has no say,
so a background blurred with the weight 1 - alpha takes nothing of the subject.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from blur.imaging.arrays import OPAQUE, to_bytes, to_shares
from blur.imaging.points import chosen, looked_up, put
from blur.imaging.strips import on_strips

if TYPE_CHECKING:
    from blur.imaging.arrays import Colours, Coverage, Pixels
    from blur.imaging.lens import Lens


LEAST = np.float32(1e-9)
"""Total weight up to which nothing is said to lie under the kernel."""


class Soft(NamedTuple):
    """A blurred layer: straight colours, (H, W, 3), and the weight under the kernel, (H, W)."""

    colours: Pixels
    weights: Coverage


def normalised_convolution(
    colours: Pixels, weights: Coverage, lens: Lens, elsewhere: Colours
) -> Soft:
    """Spread cells, (H, W, 3), by their weights, (H, W), on the lens's own grid.

    Cells that no weight reaches get the colours of `elsewhere`, any size, enlarged.
    """
    height = weights.shape[0]
    soft = Soft(np.empty_like(colours), np.empty_like(weights))

    def spread(rows: slice) -> None:
        around = slice(max(0, rows.start - lens.reach), min(height, rows.stop + lens.reach))
        inner = slice(rows.start - around.start, rows.stop - around.start)
        shares = to_shares(weights[around])
        total = lens.spread(shares)[inner]
        scale = np.reciprocal(np.maximum(total, LEAST))
        for channel in range(3):
            samples = cv2.extractChannel(colours[around], channel)
            light = lens.spread(cv2.LUT(samples, lens.exposed) * shares)[inner]
            soft.colours[rows, :, channel] = lens.developed(light * scale)
        soft.weights[rows] = to_bytes(total * np.float32(OPAQUE))
        bare = chosen((total <= LEAST).view(np.uint8), rows, weights)
        put(soft.colours, bare, to_bytes(*looked_up([elsewhere], bare)))

    on_strips(weights.shape, spread)
    return soft

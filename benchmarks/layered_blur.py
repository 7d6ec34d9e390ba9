"""The ideal blur of a lens, with a circle of confusion for each pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from blur.imaging.arrays import FloatArray, RgbU8

LAYERS = 24


def layered_blur(
    background: RgbU8, confusion: FloatArray, radius_px: float, weights: FloatArray | None = None
) -> RgbU8:
    """Return the background, (H, W, 3), with each pixel blurred by its share of the radius.

    `confusion`, (H, W), is this share, 0..1. `weights`, (H, W), 0..1, is the visible part of each
    pixel; None means that all pixels are visible.
    """
    depths = np.linspace(0, 1, LAYERS + 1, dtype=np.float32)
    visible = np.ones_like(confusion) if weights is None else weights
    colours = np.zeros(background.shape, np.float32)
    total = np.zeros(confusion.shape, np.float32)
    for depth in depths:
        share = np.maximum(0, 1 - np.abs(confusion - depth) * LAYERS) * visible
        if share.any():
            layer = np.dstack((background * share[..., np.newaxis], share))
            sigma = float(depth * radius_px)
            if sigma > 0.2:  # noqa: PLR2004 - a narrower Gaussian changes almost nothing
                layer = cv2.GaussianBlur(layer, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
            colours += layer[..., :3]
            total += layer[..., 3]
    mean = colours / np.maximum(total, 1e-6)[..., np.newaxis]
    result: RgbU8 = np.clip(np.rint(mean), 0, 255).astype(np.uint8)
    return result

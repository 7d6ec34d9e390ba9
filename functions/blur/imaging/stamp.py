"""The mark on what a test key gets: good enough to build against, not to publish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from blur.imaging.arrays import OPAQUE

if TYPE_CHECKING:
    from blur.imaging.arrays import Coverage, Pixels

TEXT = "TEST"
HEIGHT = 1 / 12
"""The letters' height as a fraction of the picture's shorter side."""
LEAST_PX = 8.0
INK, PAPER = (255, 255, 255), (200, 30, 30)


def stamp(pixels: Pixels, alpha: Coverage | None) -> tuple[Pixels, Coverage | None]:
    """Return copies with an opaque label in the lower right corner, as far as it fits."""
    label = _label(max(LEAST_PX, HEIGHT * min(pixels.shape[:2])))
    height, width = min(label.shape[0], pixels.shape[0]), min(label.shape[1], pixels.shape[1])
    corner = (slice(pixels.shape[0] - height, None), slice(pixels.shape[1] - width, None))
    pixels = pixels.copy()
    pixels[corner] = label[:height, :width]
    if alpha is not None:
        alpha = alpha.copy()
        alpha[corner] = OPAQUE
    return pixels, alpha


def _label(size_px: float) -> Pixels:
    font = ImageFont.load_default(size_px)
    left, top, right, bottom = font.getbbox(TEXT)
    margin = size_px / 3
    size = (round(right - left + 2 * margin), round(bottom - top + 2 * margin))
    label = Image.new("RGB", size, PAPER)
    ImageDraw.Draw(label).text((margin - left, margin - top), TEXT, fill=INK, font=font)
    return np.asarray(label)

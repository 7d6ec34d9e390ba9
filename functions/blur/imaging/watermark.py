"""The watermark for test keys: results are good enough for development, not for publication.

Calls with a test key are free, so a client can send a photo many times, mirrored, rotated or
shifted, and combine the results. Three things limit this attack:

1. The result has the size of a paid result, but only the detail of `DETAIL_PX` pixels. No
   combination of results has more detail.
2. Each pixel is tinted in a hue that depends on the brightness around the pixel. The same content
   gets the same tint at every position in the image, so no median or mean of results removes the
   tint.
3. The word "TEST" is repeated over the whole image. The colour of the letters is mixed from white
   (at the outline, black) and the mean colour around the letters, so they hide the details behind
   them.
"""

from __future__ import annotations

from math import pi, sqrt
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from blur.imaging.arrays import OPAQUE, to_alpha_f32, to_u8
from blur.imaging.resample import resize, upscale

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaF32, AlphaU8, FloatArray, RgbU8

TEXT = "TEST"
DETAIL_PX = 250_000
"""A result has only the detail of an image with this many pixels: 0.25 megapixels, as in most free
previews."""
TINT = 16.0
"""The largest change of a channel, 0..255, by the tint. At any hue, one channel rises and another
channel falls by at least half of `TINT`, so that the tint is visible on black and on white."""
HUE_PERIOD = 128.0
"""The change of brightness, 0..255, over which the hue completes a cycle."""
MEAN_SIGMA = 1 / 24
"""The standard deviation of the Gaussian with which the mean colour around a pixel is computed, as
a fraction of the shorter side."""
LETTER_LEVEL, OUTLINE_LEVEL = 255.0, 0.0
"""The brightness of the letters and of their outline, before the mean colour is mixed in."""
LETTER_WEIGHT = 0.5
MIN_VEIL, EXTRA_VEIL = 0.08, 0.12
"""Alpha is moved towards `MID_LEVEL` by a share of the difference between the two. The share
depends on the hue: it is at least `MIN_VEIL`, and at most `MIN_VEIL + EXTRA_VEIL`."""
MID_LEVEL = 127.5
LETTER_ALPHA = 170.0
LETTER_HEIGHT = 1 / 9
"""The size of the font as a fraction of the image's shorter side."""
MIN_LETTER_PX = 8.0
OUTLINE_WIDTH = 1 / 18
"""The width of the outline as a fraction of the size of the font."""
MAX_WIDTH = 1_000_000
"""An image with more columns is transposed before it is marked, because OpenCV needs 50 bytes for
each column of a result."""


def add_watermark(pixels: RgbU8, alpha: AlphaU8 | None) -> tuple[RgbU8, AlphaU8 | None]:
    """Return watermarked copies of the pixels, (H, W, 3), and of the alpha, (H, W) or None."""
    if pixels.shape[1] <= MAX_WIDTH:
        return _add_watermark(pixels, alpha)
    transposed_alpha = None if alpha is None else np.ascontiguousarray(alpha.T)
    marked, veiled = _add_watermark(np.ascontiguousarray(pixels.swapaxes(0, 1)), transposed_alpha)
    upright = np.ascontiguousarray(marked.swapaxes(0, 1))
    return upright, None if veiled is None else np.ascontiguousarray(veiled.T)


def _add_watermark(pixels: RgbU8, alpha: AlphaU8 | None) -> tuple[RgbU8, AlphaU8 | None]:
    shape = pixels.shape[0], pixels.shape[1]
    small = _detail_shape(shape)
    letters, insides = _letters(small)
    colour = resize(pixels, small).astype(np.float32)
    mean = _local_mean(colour)
    hue = mean.mean(axis=2) * np.float32(2 * pi / HUE_PERIOD)
    levels = (OUTLINE_LEVEL + (LETTER_LEVEL - OUTLINE_LEVEL) * insides)[..., None]
    letter_colour = _mix(mean, levels, LETTER_WEIGHT)
    marked = _mix(colour, letter_colour, letters[..., None]) + _tint(hue)
    if alpha is not None:
        veil = MIN_VEIL + EXTRA_VEIL * (1 + np.cos(hue)) / 2
        veiled = _mix(resize(alpha, small).astype(np.float32), MID_LEVEL, veil)
        alpha = upscale(to_u8(_mix(veiled, LETTER_ALPHA, letters)), shape)
    return upscale(to_u8(marked), shape), alpha


def _detail_shape(shape: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, sqrt(DETAIL_PX / (shape[0] * shape[1])))
    height = max(1, min(round(shape[0] * scale), DETAIL_PX))
    return height, max(1, min(round(shape[1] * scale), DETAIL_PX // height))


def _local_mean(values: FloatArray) -> FloatArray:
    sigma = max(1.0, MEAN_SIGMA * min(values.shape[:2]))
    mean: FloatArray = cv2.GaussianBlur(values, (0, 0), sigma)
    return mean


def _tint(hue: FloatArray) -> FloatArray:
    """Return the values to add to the channels, (H, W, 3), for a tint with this hue in radians.

    The three values are cosines, with phases that differ by a third of a cycle.
    """
    phases = np.arange(3, dtype=np.float32) * np.float32(2 * pi / 3)
    return np.float32(TINT) * np.cos(hue[..., None] + phases)


def _mix(values: FloatArray, other: FloatArray | float, weight: FloatArray | float) -> FloatArray:
    mixed: FloatArray = values + (other - values) * weight
    return mixed


def _letters(shape: tuple[int, int]) -> tuple[AlphaF32, AlphaF32]:
    """Return each pixel's coverage by the letters with their outline, and by the letters alone.

    The letters are in rows; every second row is shifted by half a word.
    """
    size_px = max(MIN_LETTER_PX, LETTER_HEIGHT * min(shape))
    font = ImageFont.load_default(size_px)
    left, top, right, bottom = font.getbbox(TEXT)
    step_x, step_y = round(1.35 * (right - left)), round(2.1 * (bottom - top))
    corners = ((0, 0), (-step_x // 2, step_y), (step_x - step_x // 2, step_y))
    masks = []
    for outline_px in (max(1, round(OUTLINE_WIDTH * size_px)), 0):
        tile = Image.new("L", (step_x, 2 * step_y), 0)
        draw = ImageDraw.Draw(tile)
        for x, y in corners:
            position = x + step_x // 8 - left, y + step_y // 4 - top
            draw.text(position, TEXT, fill=OPAQUE, font=font, stroke_width=outline_px)
        repeats = -(-shape[0] // (2 * step_y)), -(-shape[1] // step_x)
        masks.append(to_alpha_f32(np.tile(np.asarray(tile), repeats)[: shape[0], : shape[1]]))
    return masks[0], masks[1]

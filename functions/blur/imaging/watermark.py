"""The mark on the results of test keys: good enough to build against, not to publish.

Calls of a test key are free, so a client can send a photo many times, mirrored, turned or shifted,
and combine the results. Three things limit what it gets:

1. The result has the size of the live one, but the detail of `DETAIL_PX` pixels. However many
   results are combined, the rest was never in them.
2. Each pixel is tinted, in a hue that follows the brightness around it. The same content gets the
   same tint wherever it is in the picture, so that results agree in it, and no median or mean of
   them removes it.
3. "TEST" is written all over it. The letters have the mean colour around them, so that nothing of
   the picture is behind them.
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
    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaF32, AlphaU8, RgbU8

TEXT = "TEST"
DETAIL_PX = 250_000
"""Pixels whose detail a result keeps: a quarter of a megapixel, as free previews usually have."""
TINT = 16.0
"""Levels by which a channel is moved at most. At least one of the three moves by half of it in
either direction, so that no tint is lost in white or black."""
PERIOD = 128.0
"""Levels of brightness over which the hue goes once around."""
AROUND = 1 / 24
"""Standard deviation of the mean around a pixel, as a fraction of the shorter side."""
INK, OUTLINE = 255.0, 0.0
"""The levels that letters and outline are mixed of with the mean around them."""
INK_SHARE = 0.5
LEAST_VEIL, MORE_VEIL = 0.08, 0.12
"""By how much alpha is moved to its middle at least, and at most in addition."""
LETTER_ALPHA = 170.0
HEIGHT = 1 / 9
"""The letters' height as a fraction of the picture's shorter side."""
LEAST_PX = 8.0
OUTLINE_WIDTH = 1 / 18
"""Of the letters' height."""
MIDDLE = 127.5
MAX_WIDTH = 1_000_000
"""A wider picture is turned on its side: OpenCV needs 50 bytes for each column of a result."""


def add_watermark(pixels: RgbU8, alpha: AlphaU8 | None) -> tuple[RgbU8, AlphaU8 | None]:
    """Return marked copies of the same size, (H, W, 3) and (H, W)."""
    if pixels.shape[1] <= MAX_WIDTH:
        return _stamp(pixels, alpha)
    on_its_side = None if alpha is None else np.ascontiguousarray(alpha.T)
    marked, veiled = _stamp(np.ascontiguousarray(pixels.swapaxes(0, 1)), on_its_side)
    upright = np.ascontiguousarray(marked.swapaxes(0, 1))
    return upright, None if veiled is None else np.ascontiguousarray(veiled.T)


def _stamp(pixels: RgbU8, alpha: AlphaU8 | None) -> tuple[RgbU8, AlphaU8 | None]:
    shape = pixels.shape[0], pixels.shape[1]
    small = _detail_shape(shape)
    letters, fill = _letters(small)
    colour = resize(pixels, small).astype(np.float32)
    around = _mean_around(colour)
    hue = around.mean(axis=2) * np.float32(2 * pi / PERIOD)
    ink = _mix(around, (OUTLINE + (INK - OUTLINE) * fill)[..., None], INK_SHARE)
    marked = _mix(colour, ink, letters[..., None]) + _tint(hue)
    if alpha is not None:
        veil = LEAST_VEIL + MORE_VEIL * (1 + np.cos(hue)) / 2
        coverage = _mix(resize(alpha, small).astype(np.float32), MIDDLE, veil)
        alpha = upscale(to_u8(_mix(coverage, LETTER_ALPHA, letters)), shape)
    return upscale(to_u8(marked), shape), alpha


def _detail_shape(shape: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, sqrt(DETAIL_PX / (shape[0] * shape[1])))
    height = max(1, min(round(shape[0] * scale), DETAIL_PX))
    return height, max(1, min(round(shape[1] * scale), DETAIL_PX // height))


def _mean_around(values: NDArray[np.float32]) -> NDArray[np.float32]:
    sigma = max(1.0, AROUND * min(values.shape[:2]))
    mean: NDArray[np.float32] = cv2.GaussianBlur(values, (0, 0), sigma)
    return mean


def _tint(hue: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what each channel is moved by, (H, W, 3): a third of a turn between channels."""
    turns = np.arange(3, dtype=np.float32) * np.float32(2 * pi / 3)
    return np.float32(TINT) * np.cos(hue[..., None] + turns)


def _mix(
    values: NDArray[np.float32],
    other: NDArray[np.float32] | float,
    share: NDArray[np.float32] | float,
) -> NDArray[np.float32]:
    mixed: NDArray[np.float32] = values + (other - values) * share
    return mixed


def _letters(shape: tuple[int, int]) -> tuple[AlphaF32, AlphaF32]:
    """Return how much of each pixel outlined letters cover, and how much their insides do.

    The letters are in rows, of which every other one is shifted by half a word.
    """
    size_px = max(LEAST_PX, HEIGHT * min(shape))
    font = ImageFont.load_default(size_px)
    left, top, right, bottom = font.getbbox(TEXT)
    step_x, step_y = round(1.35 * (right - left)), round(2.1 * (bottom - top))
    places = ((0, 0), (-step_x // 2, step_y), (step_x - step_x // 2, step_y))
    masks = []
    for outline_px in (max(1, round(OUTLINE_WIDTH * size_px)), 0):
        tile = Image.new("L", (step_x, 2 * step_y), 0)
        draw = ImageDraw.Draw(tile)
        for x, y in places:
            place = x + step_x // 8 - left, y + step_y // 4 - top
            draw.text(place, TEXT, fill=OPAQUE, font=font, stroke_width=outline_px)
        repeats = -(-shape[0] // (2 * step_y)), -(-shape[1] // step_x)
        masks.append(to_alpha_f32(np.tile(np.asarray(tile), repeats)[: shape[0], : shape[1]]))
    return masks[0], masks[1]

"""The shapes of what passes between the steps.

Colour is straight (never premultiplied) and encoded as in the file, which is how photo
editors blur and what users compare the result with; only `bokeh` works in linear light.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

RgbU8: TypeAlias = NDArray[np.uint8]
"""Colour, (H, W, 3), 0..255."""

AlphaU8: TypeAlias = NDArray[np.uint8]
"""A matte, an alpha channel or weights, (H, W): 0 is none, 255 is all."""

RgbF32: TypeAlias = NDArray[np.float32]
"""Colour in floating point, (H, W, 3) or (n, 3), 0..255."""

AlphaF32: TypeAlias = NDArray[np.float32]
"""Coverage in floating point, (H, W) or (n, 1), 0..1."""

OPAQUE = 255
"""Full coverage."""


def to_u8(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Round 0..255 half up, and clip what lies outside."""
    whole: NDArray[np.uint8] = np.clip(values + np.float32(0.5), 0, OPAQUE).astype(np.uint8)
    return whole


def to_alpha_f32(coverage: AlphaU8) -> AlphaF32:
    """Scale 0..255 to 0..1."""
    return np.divide(coverage, OPAQUE, dtype=np.float32)

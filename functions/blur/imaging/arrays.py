"""The types of the arrays that the steps exchange.

Colours are straight (not premultiplied). They are not converted to linear light: photo editors blur
the encoded values, too, and users compare our results with those of editors. Only the kernel
`bokeh` is computed in linear light.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

RgbU8: TypeAlias = NDArray[np.uint8]
"""Colour, (H, W, 3), 0..255."""

ImageU8: TypeAlias = NDArray[np.uint8]
"""Colour, (H, W, 3), or colour and alpha, (H, W, 4), 0..255."""

AlphaU8: TypeAlias = NDArray[np.uint8]
"""A matte, an alpha channel or weights, (H, W): 0 is transparent, 255 is opaque."""

RgbF32: TypeAlias = NDArray[np.float32]
"""Colour in floating point, (H, W, 3) or (n, 3), 0..255."""

AlphaF32: TypeAlias = NDArray[np.float32]
"""Alpha, weights or shares in floating point, 0..1, of any shape."""

FloatArray: TypeAlias = NDArray[np.float32]
"""Floating-point values of any shape."""

OPAQUE = 255
"""The alpha of an opaque pixel."""


def to_u8(values: FloatArray) -> NDArray[np.uint8]:
    """Round to whole numbers, with halves rounded up, and clip to 0..255."""
    rounded: NDArray[np.uint8] = np.clip(values + np.float32(0.5), 0, OPAQUE).astype(np.uint8)
    return rounded


def to_alpha_f32(alpha: AlphaU8) -> AlphaF32:
    """Scale 0..255 to 0..1."""
    return np.divide(alpha, OPAQUE, dtype=np.float32)

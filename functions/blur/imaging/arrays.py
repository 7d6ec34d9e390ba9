"""The shapes of what passes between the steps.

Colour is straight (never premultiplied) and encoded as in the file: nothing here is linear
light, which is how photo editors blur and what users compare the result with.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
"""Colour, (H, W, 3), 0..255."""

Coverage: TypeAlias = NDArray[np.uint8]
"""A matte, an alpha channel or weights, (H, W): 0 is none, 255 is all."""

Planes: TypeAlias = NDArray[np.float32]
"""Channels first, (C, H, W), contiguous rows: what the matrix product in `gaussian` likes."""

OPAQUE = 255
"""Full coverage."""


def to_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Round 0..255 half up, and clip what lies outside."""
    whole: NDArray[np.uint8] = np.clip(values + np.float32(0.5), 0, OPAQUE).astype(np.uint8)
    return whole

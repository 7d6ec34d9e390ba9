"""One picture over another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from blur.imaging.arrays import OPAQUE
from blur.imaging.tiles import tiles

if TYPE_CHECKING:
    from blur.imaging.arrays import Coverage, Pixels


def over(foreground: Pixels, background: Pixels, alpha: Coverage) -> Pixels:
    """Composite straight colour: alpha * F + (1 - alpha) * B, rounded, all (H, W, 3).

    Where alpha is 255 the foreground's pixel comes out exactly, where it is 0 the
    background's (T. Porter, T. Duff, "Compositing digital images", SIGGRAPH 1984).
    """
    result = np.empty_like(foreground)
    for window in tiles(*alpha.shape):
        at = window.of
        result[at] = blend(foreground[at], background[at], alpha[at])
    return result


def blend(foreground: Pixels, background: Pixels, alpha: Coverage) -> Pixels:
    """Do what `over` does, for a piece small enough to blend in 16 bits at once.

    Where one of the two is all there is to see, it is returned itself, not a copy.
    """
    if not alpha.any():
        return background
    if alpha.min() == OPAQUE:
        return foreground
    result = np.where(alpha[..., np.newaxis] == OPAQUE, foreground, background)
    band = (alpha > 0) & (alpha < OPAQUE)
    weight = alpha[band].astype(np.uint16)[:, np.newaxis]
    mixed = foreground[band] * weight + background[band] * (OPAQUE - weight)
    result[band] = (mixed + OPAQUE // 2) // OPAQUE
    return result


def multiply(one: Coverage, other: Coverage | None) -> Coverage:
    """Return the coverage that two leave together, rounded; None covers everything."""
    if other is None:
        return one
    product = one.astype(np.uint16) * other
    return ((product + OPAQUE // 2) // OPAQUE).astype(np.uint8)

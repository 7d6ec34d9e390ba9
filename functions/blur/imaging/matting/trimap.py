"""Which pixels the network leaves open."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaU8

NOTHING, ALL = 12, 243
"""Levels of the network's map, 0..255, up to which and from which it is sure: 5 and 95 %."""


def find_unknown(matte: AlphaU8) -> NDArray[np.bool_]:
    """Return where the pixel and its neighbours are neither all subject nor all background.

    So what is sure gives up one pixel at its edge, where hair begins.
    """
    return dilate(matte < ALL) & dilate(matte > NOTHING)


def dilate(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add the eight neighbours of everything in the mask."""
    tall = mask.copy()
    tall[1:] |= mask[:-1]
    tall[:-1] |= mask[1:]
    grown = tall.copy()
    grown[:, 1:] |= tall[:, :-1]
    grown[:, :-1] |= tall[:, 1:]
    return grown

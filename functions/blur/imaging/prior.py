"""Colours for where there are none: the nearest weighted ones, by push and pull.

S. Gortler, R. Grzeszczuk, R. Szeliski, M. Cohen, "The Lumigraph", SIGGRAPH 1996, 3.4: sum
weighted colours up a pyramid, and on the way down let each level fill what the finer one
does not know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from blur.imaging.arrays import OPAQUE
from blur.imaging.reduction import cells, weigh
from blur.imaging.tiles import Window

if TYPE_CHECKING:
    from blur.imaging.arrays import Coverage, Pixels, Planes

SIDE_CELLS = 256
"""The prior is smooth: this many cells along the longer side are enough."""
SAMPLES = 4
"""Pixels looked at along a cell's side, evenly spaced: reading all of them tells no more."""
MARGIN = 2
"""Cells kept beyond each edge, because the grid served goes beyond it, too."""
SATURATION = np.float32(0.25)
"""Weight at which a level needs no help of the coarser one."""
UNKNOWN = np.float32(0)
"""The colour of a cell without weight, which is not trusted with any."""


@dataclass(frozen=True, slots=True)
class Prior:
    """A colour for every place, on a grid `ratio` times coarser than the one it serves."""

    planes: Planes
    ratio: int

    @classmethod
    def of(cls, colours: Pixels, weights: Coverage, step: int) -> Prior:
        """Fill the picture's unweighted parts, to serve a grid of cells of `step` pixels.

        If hardly anything in the picture has weight, everything counts alike.
        """
        ratio = 1
        while max(weights.shape) > SIDE_CELLS * step * ratio:
            ratio *= 2
        side = min(SAMPLES, step * ratio)
        some = slice(None, None, step * ratio // side)
        colours, weights = colours[some, some], weights[some, some]
        grid = Window(0, 0, *cells(weights.shape, side)).grown(MARGIN)
        planes = weigh(colours, weights, side, grid)
        if not planes[3].any():
            planes = weigh(colours, np.full_like(weights, OPAQUE), side, grid)
        return cls(fill(planes), ratio)

    def at(self, window: Window) -> Planes:
        """Return the colours at a window of the finer grid, (3, h, w)."""
        left, top, right, bottom = (
            MARGIN + side / self.ratio
            for side in (window.left, window.top, window.right, window.bottom)
        )
        size = (window.right - window.left, window.bottom - window.top)
        return _resize(self.planes, size, (left, top, right, bottom))


def fill(planes: Planes) -> Planes:
    """Return colours, (3, h, w), from weighted colours and weights, (4, h, w)."""
    _, height, width = planes.shape
    own = _divide(planes)
    if height == width == 1:
        return own
    box = (0.0, 0.0, width / 2, height / 2)
    coarser = _resize(fill(_halve(planes)), (width, height), box)
    trust = np.minimum(planes[3] / SATURATION, np.float32(1))
    filled: Planes = coarser + trust * (own - coarser)
    return filled


def _divide(planes: Planes) -> Planes:
    own = np.full_like(planes[:3], UNKNOWN)
    np.divide(planes[:3], planes[3], out=own, where=planes[3] > 0)
    return own


def _halve(planes: Planes) -> Planes:
    """Sum weights over two by two cells; more than 1 in all counts as 1, as in the paper."""
    _, height, width = planes.shape
    even = np.pad(planes, ((0, 0), (0, height % 2), (0, width % 2)))
    quads = even.reshape(4, even.shape[1] // 2, 2, even.shape[2] // 2, 2)
    halved: Planes = quads.sum(axis=(2, 4), dtype=np.float32)
    halved /= np.maximum(halved[3], np.float32(1))
    return halved


def _resize(
    planes: Planes, size: tuple[int, int], box: tuple[float, float, float, float]
) -> Planes:
    bilinear = Image.Resampling.BILINEAR
    images = (Image.fromarray(plane) for plane in planes)
    return np.stack([np.asarray(image.resize(size, bilinear, box=box)) for image in images])

"""Normalised convolution: the weighted mean of colours under a Gaussian.

H. Knutsson, C.-F. Westin, "Normalized and differential convolution", CVPR 1993: blur the
weighted colours and the weights with one kernel and divide. What has no weight has no say,
so a background blurred with the weight 1 - alpha takes nothing of the subject.

A wide Gaussian is smooth, so it is computed on a coarser grid. The mean over step x step
pixels is a blur of its own, of variance (step**2 - 1) / 12, which is taken off. Bicubic
interpolation back adds none, because it reproduces parabolas (R. Keys, "Cubic convolution
interpolation for digital image processing", 1981).

Where hardly any weight lies under the kernel, a `prior` speaks: the colours of the nearest
weighted pixels, whatever their distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log2, sqrt
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from blur.imaging.arrays import OPAQUE, to_bytes
from blur.imaging.gaussian import gaussian, reach
from blur.imaging.prior import Prior
from blur.imaging.reduction import cells, weigh
from blur.imaging.tiles import Window, strips

if TYPE_CHECKING:
    from blur.imaging.arrays import Coverage, Pixels, Planes

LEAST_SIGMA_PX = 0.1
"""A narrower Gaussian, sampled at whole pixels, is the identity to the last bit."""
LEAST_GRID_SIGMA = 1.5
"""Standard deviation, in cells, below which a coarser grid would show."""
PRIOR_WEIGHT = np.float32(0.02)
"""Weight under the kernel at which the prior counts as much as the kernel."""
GUARD = 2
"""Cells kept beyond each edge, so that interpolation at the border has neighbours."""
STRIP_CELLS = 1 << 18
"""About how many cells are held in floating point at once: 4 MiB for each array."""


@dataclass(frozen=True, slots=True)
class Smooth:
    """A smooth picture on a grid of cells of `step` pixels, enlarged window by window."""

    colours: Pixels
    weights: Coverage
    step: int

    @classmethod
    def empty(cls, grid: Window, step: int) -> Smooth:
        """Make room for the cells of `grid`."""
        shape = (grid.bottom - grid.top, grid.right - grid.left)
        return cls(np.empty((*shape, 3), np.uint8), np.empty(shape, np.uint8), step)

    def colours_in(self, window: Window) -> Pixels:
        """Return the weighted mean colours of the window's pixels."""
        return _enlarge(self.colours, self.step, window)

    def weights_in(self, window: Window) -> Coverage:
        """Return the weight under the kernel at the window's pixels, 255 for all of it."""
        return _enlarge(self.weights, self.step, window)


def normalised_convolution(colours: Pixels, weights: Coverage, sigma_px: float) -> Smooth:
    """Return the mean of `colours` by `weights` under a Gaussian, and the weight under it.

    `sigma_px` is the standard deviation in pixels of `colours`, more than 0. Edges are
    replicated, so the border does not darken.
    """
    sigma_px = max(sigma_px, LEAST_SIGMA_PX)
    step = grid_step(sigma_px)
    sigma = sqrt(sigma_px**2 - (step**2 - 1) / 12) / step
    height, width = cells(weights.shape, step)
    grid = Window(-GUARD, -GUARD, height + GUARD, width + GUARD)
    smooth = Smooth.empty(grid, step)
    prior = Prior.of(colours, weights, step)
    for strip in strips(grid, STRIP_CELLS):
        planes = gaussian(weigh(colours, weights, step, strip.grown(reach(sigma))), sigma)
        rows = slice(strip.top + GUARD, strip.bottom + GUARD)
        smooth.weights[rows] = to_bytes(planes[3] * np.float32(OPAQUE))
        smooth.colours[rows] = to_bytes(_divide(planes, prior.at(strip))).transpose(1, 2, 0)
    return smooth


def grid_step(sigma_px: float) -> int:
    """Return the pixels of a cell's side: the greatest power of two that does not show."""
    return 1 << max(0, floor(log2(sigma_px / LEAST_GRID_SIGMA)))


def _divide(planes: Planes, prior: Planes) -> Planes:
    weight = planes[3]
    doubt = PRIOR_WEIGHT * np.maximum(np.float32(1) - weight, np.float32(0))
    means: Planes = (planes[:3] + doubt * prior) / (weight + doubt)
    return means


def _enlarge(grid: Pixels, step: int, window: Window) -> Pixels:
    if step == 1:
        return grid[Window(*(side + GUARD for side in window)).of]
    size = (window.right - window.left, window.bottom - window.top)
    left, top, right, bottom = (
        GUARD + side / step for side in (window.left, window.top, window.right, window.bottom)
    )
    box = (left, top, right, bottom)
    return np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC, box=box))

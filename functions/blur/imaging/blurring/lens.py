"""The kernels of the blur: a Gaussian, or a disc like the blur of a lens.

A wide kernel is smooth, so it is computed on a coarse grid of cells. The grid itself blurs:
averaging a cell has the variance (cell_px**2 - 1) / 12, and upscaling by a quadratic B-spline has
the variance (cell_px**2 - 1) / 4. Both variances are subtracted from the kernel's variance, so that
the total blur has the requested variance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, sqrt
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import cv2
import numpy as np

from blur.imaging.arrays import to_u8
from blur.imaging.blurring import light

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sample = TypeVar("Sample", np.uint8, np.float32)

    from blur.imaging.arrays import FloatArray, RgbF32, RgbU8

Kernel: TypeAlias = "Callable[..., Lens]"

TRUNCATE = 4.0
"""The number of standard deviations at which the Gaussian is cut off; 6e-5 of its area is lost."""
MIN_SIGMA = 0.1
"""A Gaussian with at most this standard deviation, sampled at whole pixels, changes nothing."""
MIN_SIGMA_CELLS = 2.0
"""The minimum standard deviation of a kernel, in cells. Below this, the grid is visible."""
DISC_RADIUS_PER_SIGMA = 2.0
"""The radius of a disc whose standard deviation along each axis is 1: the integral of x**2 over a
disc of radius R is the disc's area times R**2 / 4."""
OVERSAMPLING = 8


@dataclass(frozen=True, slots=True)
class Lens:
    """A kernel and the grid on which it is computed."""

    cell_px: int
    """The width and height of a cell in pixels."""
    radius_cells: int
    """The radius of the kernel in cells."""
    convolve: Callable[[FloatArray], FloatArray]
    """Convolve an array, (h, w) or (h, w, C), with the kernel of sum 1; edges are mirrored."""
    to_linear: FloatArray
    """A table, (256,), that converts a sample, 0..255, to the value that is convolved."""
    from_linear: Callable[[RgbF32], RgbU8]
    """The inverse of `to_linear`, rounded."""
    fast_path: Callable[[RgbU8], RgbU8] | None = None
    """A faster function for samples with equal weights, or None. It does all three steps:
    `to_linear`, `convolve` and `from_linear`."""


def gaussian(radius_px: float, min_sigma_cells: float = MIN_SIGMA_CELLS) -> Lens:
    """Return the Gaussian with a standard deviation of `radius_px`.

    The samples are not converted to linear light.
    """
    cell_px = _cell_size(radius_px, min_sigma_cells)
    sigma = max(MIN_SIGMA, _sigma_cells(radius_px, cell_px))
    radius = ceil(TRUNCATE * sigma)
    taps = cv2.getGaussianKernel(2 * radius + 1, sigma, cv2.CV_32F)
    convolve = partial(_convolve_separable, taps=taps)
    identity = np.arange(256, dtype=np.float32)
    return Lens(cell_px, radius, convolve, identity, to_u8, fast_path=convolve)


def bokeh(radius_px: float, min_sigma_cells: float = MIN_SIGMA_CELLS) -> Lens:
    """Return the disc with a standard deviation of `radius_px`, in linear light.

    The image of a point out of focus is the lens's aperture, the circle of confusion
    (M. Potmesil, I. Chakravarty, "A lens and aperture camera model for synthetic image
    generation", SIGGRAPH 1981). Light adds up linearly, and a photo's highlights are clipped:
    the module `light` converts the samples to linear light and expands the highlights.
    """
    cell_px = _cell_size(radius_px, min_sigma_cells)
    taps = disc_kernel(DISC_RADIUS_PER_SIGMA * _sigma_cells(radius_px, cell_px))
    convolve = partial(_convolve, taps=taps)
    return Lens(cell_px, taps.shape[0] // 2, convolve, light.TO_LINEAR, light.from_linear)


def fast_bokeh(radius_px: float, min_sigma_cells: float) -> Lens:
    """Return a faster `bokeh`: it takes half the time, and differs by 1 in one sample of 300."""
    lens = bokeh(radius_px, min_sigma_cells)

    def fast_path(colours: RgbU8) -> RgbU8:
        return light.from_linear_fast(lens.convolve(cv2.LUT(colours, lens.to_linear)))

    return replace(lens, from_linear=light.from_linear_fast, fast_path=fast_path)


KERNELS: dict[str, Kernel] = {"gaussian": gaussian, "bokeh": bokeh}
"""The kernels by the value of the `blur` field. Both functions take the radius in pixels, which
must be more than 0."""
LEVEL_KERNELS: dict[str, Kernel] = {"gaussian": gaussian, "bokeh": fast_bokeh}
"""The kernels for the levels of a blur with a varying radius, by the value of the `blur` field."""


def disc_kernel(radius: float) -> FloatArray:
    """Return the share of a disc's area that lies in each cell.

    The shares add up to 1, and each side of the array has an odd number of cells.
    """
    reach = max(0, ceil(radius - 0.5))
    side = 2 * reach + 1
    ticks = (np.arange(side * OVERSAMPLING) + 0.5) / OVERSAMPLING - side / 2
    inside = np.hypot(ticks, ticks[:, np.newaxis]) <= max(radius, 0.5)
    taps = inside.reshape(side, OVERSAMPLING, side, OVERSAMPLING).mean(axis=(1, 3))
    normalised: FloatArray = (taps / taps.sum()).astype(np.float32)
    return normalised


def _cell_size(sigma_px: float, min_sigma_cells: float) -> int:
    """Return the width and height of a cell in pixels.

    The result is the largest power of two for which `sigma_px` is at least `min_sigma_cells` cells,
    or 1 if there is none.
    """
    return 1 << max(0, int(sigma_px / min_sigma_cells).bit_length() - 1)


def _sigma_cells(sigma_px: float, cell_px: int) -> float:
    """Return the kernel's standard deviation in cells, without the blur of the grid itself."""
    return sqrt(sigma_px**2 - (cell_px**2 - 1) / 3) / cell_px


def _convolve_separable(planes: NDArray[Sample], taps: FloatArray) -> NDArray[Sample]:
    # For bytes, cv2.GaussianBlur rounds the kernel's values to 1/256, and takes twice as long.
    border = cv2.BORDER_REFLECT
    convolved: NDArray[Sample] = cv2.sepFilter2D(planes, -1, taps, taps, borderType=border)
    return convolved


def _convolve(planes: FloatArray, taps: FloatArray) -> FloatArray:
    convolved: FloatArray = cv2.filter2D(planes, -1, taps, borderType=cv2.BORDER_REFLECT)
    return convolved

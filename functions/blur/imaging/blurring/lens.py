"""How a point of the background is spread: by a Gaussian, or by a disc as a lens does.

A wide kernel is smooth, so it is computed on a coarser grid. Taking the mean of step x step
pixels is a blur of its own, of variance (step**2 - 1) / 12, and enlarging by a quadratic
B-spline is one of (step**2 - 1) / 4: the kernel is made narrower by both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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

    from blur.imaging.arrays import RgbF32, RgbU8

Kernel: TypeAlias = "Callable[[float], Lens]"

TRUNCATE = 4.0
"""The Gaussian ends at this many standard deviations, where it holds all but 6e-5."""
LEAST_SIGMA = 0.1
"""A narrower Gaussian, sampled at whole pixels, is the identity to the last bit."""
LEAST_CELLS = 2.0
"""Standard deviations, in cells, below which a coarser grid would show."""
DISC_RADIUS_PER_SIGMA = 2.0
"""Radius of a disc whose standard deviation along each axis is 1: the integral of x**2 over
a disc of radius R is R**2 / 4 of its area."""
OVERSAMPLING = 8


@dataclass(frozen=True, slots=True)
class Lens:
    """A kernel, on the grid it is computed on."""

    cell_px: int
    """Pixels of a cell's side."""
    radius_cells: int
    """Cells to either side that the kernel takes in."""
    spread: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    """Convolve (h, w, C) with the kernel, which sums to 1; edges are mirrored."""
    to_linear: NDArray[np.float32]
    """By a sample's value, (256,): the light that is spread."""
    from_linear: Callable[[RgbF32], RgbU8]
    """The inverse of `to_linear`, rounded."""
    fast_path: Callable[[RgbU8], RgbU8] | None = None
    """All of that at once, for bytes that all count alike, if there is a quick way."""


def gaussian(radius_px: float) -> Lens:
    """Return the Gaussian with a standard deviation of `radius_px`, on encoded values."""
    step = _step(radius_px)
    sigma = max(LEAST_SIGMA, _cells(radius_px, step))
    reach = ceil(TRUNCATE * sigma)
    spread = partial(_separate, taps=cv2.getGaussianKernel(2 * reach + 1, sigma, cv2.CV_32F))
    return Lens(step, reach, spread, np.arange(256, dtype=np.float32), to_u8, fast_path=spread)


def bokeh(radius_px: float) -> Lens:
    """Return the disc as deep as that Gaussian, in linear light with highlights boosted.

    The image of a point out of focus is the lens's aperture, the circle of confusion
    (M. Potmesil, I. Chakravarty, "A lens and aperture camera model for synthetic image
    generation", SIGGRAPH 1981). It adds up light, hence linear light, and a photo's
    highlights are clipped, hence the boost: see `light`.
    """
    step = _step(radius_px)
    taps = disc_kernel(DISC_RADIUS_PER_SIGMA * _cells(radius_px, step))
    spread = partial(_convolve, taps=taps)
    return Lens(step, taps.shape[0] // 2, spread, light.TO_LINEAR, light.from_linear)


KERNELS: dict[str, Kernel] = {"gaussian": gaussian, "bokeh": bokeh}
"""By the value of the `blur` field. Both take the radius in pixels, more than 0."""


def disc_kernel(radius: float) -> NDArray[np.float32]:
    """Return the share of each cell that a disc covers, summing to 1; odd sides, in cells."""
    reach = max(0, ceil(radius - 0.5))
    side = 2 * reach + 1
    ticks = (np.arange(side * OVERSAMPLING) + 0.5) / OVERSAMPLING - side / 2
    inside = np.hypot(ticks, ticks[:, np.newaxis]) <= max(radius, 0.5)
    taps = inside.reshape(side, OVERSAMPLING, side, OVERSAMPLING).mean(axis=(1, 3))
    normal: NDArray[np.float32] = (taps / taps.sum()).astype(np.float32)
    return normal


def _step(sigma_px: float) -> int:
    """Return the side of a cell in pixels: the greatest power of two that does not show."""
    return 1 << max(0, int(sigma_px / LEAST_CELLS).bit_length() - 1)


def _cells(sigma_px: float, step: int) -> float:
    """Return the standard deviation that is left to the kernel, in cells."""
    return sqrt(sigma_px**2 - (step**2 - 1) / 3) / step


def _separate(planes: NDArray[Sample], taps: NDArray[np.float32]) -> NDArray[Sample]:
    # OpenCV's own Gaussian of bytes rounds the taps to 1/256, and takes twice as long.
    border = cv2.BORDER_REFLECT
    spread: NDArray[Sample] = cv2.sepFilter2D(planes, -1, taps, taps, borderType=border)
    return spread


def _convolve(planes: NDArray[np.float32], taps: NDArray[np.float32]) -> NDArray[np.float32]:
    spread: NDArray[np.float32] = cv2.filter2D(planes, -1, taps, borderType=cv2.BORDER_REFLECT)
    return spread

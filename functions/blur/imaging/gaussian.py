"""The Gaussian itself, as products with a banded matrix.

A row of blurred samples is a row of samples times a Toeplitz matrix that holds the kernel
on its diagonals. Cut into blocks, the matrix is small and the same for every block, and the
product runs in the BLAS that numpy brings: exact, on every core, with no image library.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import Planes

TRUNCATE = 4.0
"""The kernel ends at this many standard deviations, where it holds all but 6e-5."""
BLOCK = 64


def reach(sigma: float) -> int:
    """Return how many samples to either side a Gaussian takes in."""
    return ceil(TRUNCATE * sigma)


def kernel(sigma: float) -> NDArray[np.float32]:
    """Return the sampled Gaussian, (2 * reach + 1,), summing to 1; `sigma` is more than 0."""
    offsets = np.arange(-reach(sigma), reach(sigma) + 1)
    taps = np.exp(-0.5 * (offsets / sigma) ** 2)
    normal: NDArray[np.float32] = (taps / taps.sum()).astype(np.float32)
    return normal


def gaussian(planes: Planes, sigma: float) -> Planes:
    """Blur (C, H, W) along both axes, `sigma` in samples.

    Only samples whose whole kernel lies inside come back: (C, H - 2r, W - 2r), r being the
    kernel's reach. What lies beyond a picture's edge is the caller's to say.
    """
    band = toeplitz(kernel(sigma), BLOCK)
    return _down(_across(planes, band), band)


def toeplitz(taps: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    """Return (rows, rows + taps - 1), each row holding the taps one column further right."""
    matrix = np.zeros((rows, rows + taps.size - 1), np.float32)
    for row in range(rows):
        matrix[row, row : row + taps.size] = taps
    return matrix


def _across(planes: Planes, band: NDArray[np.float32]) -> Planes:
    overlap = band.shape[1] - BLOCK
    channels, height, width = planes.shape
    blurred = np.empty((channels, height, width - overlap), np.float32)
    for start in range(0, width - overlap, BLOCK):
        samples = planes[:, :, start : start + BLOCK + overlap]
        count = samples.shape[2] - overlap
        taps = band[:count, : samples.shape[2]].T
        np.matmul(samples, taps, out=blurred[:, :, start : start + count])
    return blurred


def _down(planes: Planes, band: NDArray[np.float32]) -> Planes:
    overlap = band.shape[1] - BLOCK
    channels, height, width = planes.shape
    blurred = np.empty((channels, height - overlap, width), np.float32)
    for start in range(0, height - overlap, BLOCK):
        samples = planes[:, start : start + BLOCK + overlap]
        count = samples.shape[1] - overlap
        taps = band[:count, : samples.shape[1]]
        np.matmul(taps, samples, out=blurred[:, start : start + count])
    return blurred

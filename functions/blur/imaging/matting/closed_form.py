"""Closed-form matting: solve for the alpha of unknown pixels from the photo's colours.

A. Levin, D. Lischinski, Y. Weiss, "A Closed-Form Solution to Natural Image Matting", PAMI 2008:
suppose that in a window of 3 x 3 pixels, the foreground's colours lie on one line in RGB space, and
the background's colours on another line. Then alpha in the window is a linear function of the
colour: dot(slope, colour) + offset. With the matting Laplacian L, alpha' L alpha is the sum of the
squared residuals of the best linear function in each window.

The matrix L is never built. Its product with alpha is computed as in K. He, J. Sun, X. Tang, "Fast
Matting Using Large Kernel Matting Laplacian Matrices", CVPR 2010: in each window with an unknown
pixel, subtract the best linear function from alpha; then add up, for each pixel, the residuals of
its windows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from blur.imaging.arrays import OPAQUE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaF32, AlphaU8, FloatArray, RgbU8

SIDE = 3
AREA = SIDE * SIDE
EPSILON = 1e-5
"""Levin's regulariser, for colours 0..1. It keeps the slopes small where the colour is almost
constant."""
PRIOR_WEIGHT = 0.03
"""The weight of the prior (the model's output) where its value is 0 or 1; values in between have a
smaller weight. The colours have weight 1."""
MIN_PRIOR_WEIGHT = 1e-6
MAX_ITERATIONS, TOLERANCE = 25, 1e-3
FLOOR, CEILING = 0.1, 0.9
"""Alpha up to `FLOOR` becomes 0, and alpha from `CEILING` on becomes 1, because values near 0 or 1
are more often errors than hair."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The n windows of 3 x 3 pixels in a photo with `size` pixels."""

    size: int
    members: NDArray[np.intp]
    """The flat indices of each window's pixels: (9, n)."""
    means: FloatArray
    """Mean colours, 0..1: (3, n)."""
    centred: FloatArray
    """Colours minus the window's mean: (3, 9, n)."""
    inverses: FloatArray
    """The inverses of the windows' colour scatter matrices (9 x the covariances): (3, 3, n)."""

    @classmethod
    def touching(cls, unknown: NDArray[np.bool_], photo: RgbU8) -> Windows:
        """Return the windows that contain an unknown pixel; `unknown` is (h, w).

        A photo with fewer than 3 rows or columns has no windows.
        """
        members = _members(unknown)
        channels = np.ascontiguousarray(photo.reshape(-1, 3).T, np.float32) / np.float32(255)
        colours = channels.take(members, axis=1)
        means = colours.mean(axis=1)
        centred = colours - means[:, np.newaxis]
        scatter = np.einsum("cjn,djn->cdn", centred, centred).astype(np.float64)
        scatter += EPSILON * np.eye(3)[..., np.newaxis]
        return cls(unknown.size, members, means, centred, _invert(scatter).astype(np.float32))

    def slopes(self, alpha: FloatArray) -> FloatArray:
        """Return the slopes of alpha for each channel, (3, n); `alpha` has all `size` pixels."""
        products = np.einsum("cjn,jn->cn", self.centred, alpha.take(self.members))
        slopes: FloatArray = np.einsum("cdn,dn->cn", self.inverses, products)
        return slopes

    def apply(self, alpha: FloatArray) -> FloatArray:
        """Return the product of the Laplacian and `alpha`, which has all `size` pixels."""
        values = alpha.take(self.members)
        residuals = values - values.mean(axis=0)
        residuals -= np.einsum("cjn,cn->jn", self.centred, self.slopes(alpha))
        return self.sum_by_pixel(residuals)

    def diagonal(self) -> FloatArray:
        """Return the diagonal of the Laplacian, one value for each of the `size` pixels."""
        leverage = np.einsum("cjn,cdn,djn->jn", self.centred, self.inverses, self.centred)
        return self.sum_by_pixel(1 - 1 / np.float32(AREA) - leverage)

    def sum_by_pixel(self, values: FloatArray) -> FloatArray:
        """Sum the values of the windows, (9, n), at each of the `size` pixels."""
        sums = np.bincount(self.members.ravel(), values.ravel(), minlength=self.size)
        return sums.astype(np.float32)


def _members(unknown: NDArray[np.bool_]) -> NDArray[np.intp]:
    height, width = unknown.shape
    rows, columns = np.mgrid[:SIDE, :SIDE]
    offsets = (rows * width + columns).reshape(AREA, 1)
    shape = (max(height - SIDE + 1, 0), max(width - SIDE + 1, 0))
    is_touching = np.zeros(shape, np.bool_)
    for row in range(SIDE):
        for column in range(SIDE):
            is_touching |= unknown[row : row + shape[0], column : column + shape[1]]
    top, left = np.nonzero(is_touching)
    members: NDArray[np.intp] = top * width + left + offsets
    return members


def _invert(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert symmetric matrices, (3, 3, n), by their cofactors.

    The cofactors need double precision, because the determinant is a small difference of large
    products. This function inverts all matrices together; LAPACK would invert them one by one.
    """
    first, second, third = matrices
    cofactors = np.stack([_cross(second, third), _cross(third, first), _cross(first, second)])
    inverses: NDArray[np.float64] = cofactors / (first * cofactors[0]).sum(axis=0)
    return inverses


def _cross(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([one[i - 2] * other[i - 1] - one[i - 1] * other[i - 2] for i in range(3)])


def solve_alpha(matte: AlphaU8, unknown: NDArray[np.bool_], windows: Windows) -> AlphaF32:
    """Return alpha, 0..1, (h, w), with the alpha of unknown pixels computed from the windows.

    The solution minimises alpha' L alpha + sum of weight * (alpha - prior)**2. The prior is the
    network's map after `rescale_alpha`. Known pixels have the value of the prior.
    """
    prior = matte.ravel().astype(np.float32) / np.float32(OPAQUE)
    weights: FloatArray = (PRIOR_WEIGHT * (2 * prior - 1) ** 2 + MIN_PRIOR_WEIGHT)[unknown.ravel()]
    alpha = rescale_alpha(prior)
    indices = np.flatnonzero(unknown)
    start = alpha[indices]
    known = alpha.copy()
    known[indices] = 0

    def apply(values: FloatArray) -> FloatArray:
        scattered = np.zeros(unknown.size, np.float32)
        scattered[indices] = values
        product: FloatArray = windows.apply(scattered)[indices] + weights * values
        return product

    alpha[indices] = conjugate_gradients(
        apply,
        windows.diagonal()[indices] + weights,
        weights * start - windows.apply(known)[indices],
        start,
        max_iterations=MAX_ITERATIONS,
        tolerance=TOLERANCE,
    ).clip(0, 1)
    return alpha.reshape(unknown.shape)


def rescale_alpha(alpha: FloatArray) -> FloatArray:
    """Scale alpha linearly, so that FLOOR becomes 0 and CEILING becomes 1, and clip it to 0..1."""
    rescaled: FloatArray = np.clip((alpha - FLOOR) / (CEILING - FLOOR), 0, 1)
    return rescaled


def conjugate_gradients(  # noqa: PLR0913 - it gets a linear system, a start and two stopping conditions
    apply: Callable[[FloatArray], FloatArray],
    diagonal: FloatArray,
    right: FloatArray,
    start: FloatArray,
    *,
    max_iterations: int,
    tolerance: float,
) -> FloatArray:
    """Return an approximate solution x of apply(x) = right; all vectors are (n,).

    M. Hestenes, E. Stiefel, "Methods of Conjugate Gradients for Solving Linear Systems", 1952,
    with the diagonal as preconditioner. `apply` must be symmetric and positive definite, with a
    positive `diagonal`. The iteration ends after `max_iterations`, or when the norm of the
    preconditioned residual is at most `tolerance` times its norm for x = 0.
    """
    x, residual = start, right - apply(start)
    target = tolerance**2 * float(right @ (right / diagonal))
    direction = scaled = residual / diagonal
    square = float(residual @ scaled)
    for _ in range(max_iterations):
        if square <= target:
            break
        product = apply(direction)
        length = np.float32(square / float(direction @ product))
        x, residual = x + length * direction, residual - length * product
        scaled = residual / diagonal
        square, last = float(residual @ scaled), square
        direction = scaled + np.float32(square / last) * direction
    return x

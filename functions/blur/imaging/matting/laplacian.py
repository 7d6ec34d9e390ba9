"""The matting Laplacian: how far an alpha is from a linear function of colour, window by window.

A. Levin, D. Lischinski, Y. Weiss, "A Closed-Form Solution to Natural Image Matting", PAMI
2008: where subject and background each have colours on a line, alpha within a 3 x 3 window is
slope . colour + offset. The Laplacian sums the squares of what the best such function leaves
over. It is never written down as a matrix: as K. He, J. Sun, X. Tang, "Fast Matting Using
Large Kernel Matting Laplacian Matrices", CVPR 2010, apply it, fitting and subtracting is the
product, and only the windows that touch an unknown pixel are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from blur.imaging.arrays import RgbU8

Reals: TypeAlias = NDArray[np.float32]

SIDE = 3
AREA = SIDE * SIDE
EPSILON = 1e-5
"""The paper's regulariser, for colours 0..1: slopes are damped where colour hardly varies."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Some windows of a photo of `size` pixels, n of them."""

    size: int
    members: NDArray[np.intp]
    """Each window's pixels, counted row by row: (9, n)."""
    means: Reals
    """Mean colours, 0..1: (3, n)."""
    centred: Reals
    """Colours less their window's mean: (3, 9, n)."""
    inverses: Reals
    """Inverse scatter matrices of colour, which are nine times the covariances: (3, 3, n)."""

    @classmethod
    def touching(cls, unknown: NDArray[np.bool_], photo: RgbU8) -> Windows:
        """Take the windows with an unknown pixel in them; `unknown` is (h, w).

        A photo narrower than a window has none.
        """
        members = _members(unknown)
        planes = np.ascontiguousarray(photo.reshape(-1, 3).T, np.float32) / np.float32(255)
        colours = planes.take(members, axis=1)
        means = colours.mean(axis=1)
        centred = colours - means[:, np.newaxis]
        covariances = np.einsum("cjn,djn->cdn", centred, centred).astype(np.float64)
        covariances += EPSILON * np.eye(3)[..., np.newaxis]
        inverses = _invert(covariances).astype(np.float32)
        return cls(unknown.size, members, means, centred, inverses)

    def slopes(self, alpha: Reals) -> Reals:
        """Return how alpha, all its `size` pixels, changes with colour: (3, n)."""
        products = np.einsum("cjn,jn->cn", self.centred, alpha.take(self.members))
        slopes: Reals = np.einsum("cdn,dn->cn", self.inverses, products)
        return slopes

    def apply(self, alpha: Reals) -> Reals:
        """Return the Laplacian times alpha, both of all `size` pixels."""
        values = alpha.take(self.members)
        left = values - values.mean(axis=0)
        left -= np.einsum("cjn,cn->jn", self.centred, self.slopes(alpha))
        return self.gather(left)

    def diagonal(self) -> Reals:
        """Return the Laplacian's diagonal, one value for each of the `size` pixels."""
        spread = np.einsum("cjn,cdn,djn->jn", self.centred, self.inverses, self.centred)
        return self.gather(1 - 1 / np.float32(AREA) - spread)

    def gather(self, values: Reals) -> Reals:
        """Sum what the windows hold, (9, n), at each of the `size` pixels."""
        sums = np.bincount(self.members.ravel(), values.ravel(), minlength=self.size)
        return sums.astype(np.float32)


def _members(unknown: NDArray[np.bool_]) -> NDArray[np.intp]:
    height, width = unknown.shape
    rows, columns = np.mgrid[:SIDE, :SIDE]
    offsets = (rows * width + columns).reshape(AREA, 1)
    shape = (max(height - SIDE + 1, 0), max(width - SIDE + 1, 0))
    touched = np.zeros(shape, np.bool_)
    for row in range(SIDE):
        for column in range(SIDE):
            touched |= unknown[row : row + shape[0], column : column + shape[1]]
    top, left = np.nonzero(touched)
    members: NDArray[np.intp] = top * width + left + offsets
    return members


def _invert(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert symmetric matrices, (3, 3, n), by their cofactors.

    In double precision, because the determinant is a small difference of large products;
    LAPACK would take the matrices one by one.
    """
    first, second, third = matrices
    cofactors = np.stack([_cross(second, third), _cross(third, first), _cross(first, second)])
    inverses: NDArray[np.float64] = cofactors / (first * cofactors[0]).sum(axis=0)
    return inverses


def _cross(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([one[i - 2] * other[i - 1] - one[i - 1] * other[i - 2] for i in range(3)])

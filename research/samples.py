"""Choose positions that strongly affect the network's output, and read the activations there."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from research.network import Network

    Floats: TypeAlias = NDArray[np.float32]
    Positions: TypeAlias = NDArray[np.int64]
    """Rows and columns, (positions, 2)."""

POSITIONS = 700
"""The number of sampled positions in each picture."""
UNIFORM = 0.25
"""The share of the mean energy that is added to the gradient's energy at each position, so that
every position can be drawn."""


class Samples:
    """The positions to sample for each convolution, and the metric for the errors of its outputs.

    A random +1 or -1 for each pixel of the output is propagated back through the network. The mean
    square of the result is the mean square of the Jacobian's columns (Hutchinson 1990).
    """

    def __init__(self, network: Network, names: Sequence[str], pictures: Sequence[Floats]) -> None:
        """For each convolution in `names`, choose positions in each picture; compute the metric."""
        generator = np.random.default_rng(1)
        self.positions: dict[str, list[Positions]] = {name: [] for name in names}
        self.metric = dict.fromkeys(names, np.zeros((1, 1)))
        for picture in pictures:
            signs = generator.choice([-1, 1], (1, 1, *picture.shape[2:])).astype(np.float32)
            gradients = network.gradients(picture, names, signs)
            for name, gradient in zip(names, gradients, strict=True):
                self.positions[name].append(choose_positions(gradient[0], generator))
                flat = gradient[0].reshape(gradient.shape[1], -1).astype(np.float64)
                self.metric[name] = self.metric[name] + flat @ flat.T


def choose_positions(gradient: Floats, generator: np.random.Generator) -> Positions:
    """Draw positions, (POSITIONS, 2); positions with a larger gradient are more likely."""
    energy = np.square(gradient, dtype=np.float64).sum(axis=0)
    padded = np.pad(energy, 1, mode="edge")
    blurred = np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).sum(axis=(2, 3))
    weights = (blurred / max(blurred.mean(), np.finfo(float).tiny) + UNIFORM).ravel()
    chosen = generator.choice(weights.size, POSITIONS, p=weights / weights.sum())
    return np.stack(np.unravel_index(chosen, energy.shape), axis=1)


def windows(tensor: Floats, at: Positions, side: int = 3) -> Floats:
    """Return the window around each position, zero-padded: (positions, channels * side²)."""
    margin = side // 2
    padded = np.pad(tensor, ((0, 0), (margin, margin), (margin, margin)))
    row, column = at.T
    taps = [padded[:, row + i, column + j] for i in range(side) for j in range(side)]
    return np.stack(taps, axis=-1).swapaxes(0, 1).reshape(len(at), -1)


def half_windows(tensor: Floats, at: Positions) -> Floats:
    """Return windows of a half-size map after bilinear upsampling: (positions, channels * 9)."""
    (top, bottom, down), (left, right, across) = (
        neighbours(at[:, k], tensor.shape[1]) for k in (0, 1)
    )
    total = np.zeros((len(at), 9 * len(tensor)), np.float32)
    for row, row_weight in ((top, 1 - down), (bottom, down)):
        for column, column_weight in ((left, 1 - across), (right, across)):
            weight = (row_weight * column_weight)[:, np.newaxis]
            total += windows(tensor, np.stack([row, column], axis=1)) * weight
    return total


def neighbours(
    at: NDArray[np.int64], side: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return the two cells that bilinear upsampling by 2 mixes, and the second cell's weight."""
    exact = np.maximum((at + 0.5) / 2 - 0.5, 0)
    first = exact.astype(np.int64)
    return first, np.minimum(first + 1, side - 1), (exact - first).astype(np.float32)

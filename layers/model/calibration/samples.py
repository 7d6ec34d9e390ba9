"""Activations of the network at places where its map depends on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import onnx
import onnxruntime as ort

from calibration.backward import SEED, backward
from graph import keep

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]
    Tensors: TypeAlias = Sequence[Floats]
    Where: TypeAlias = NDArray[np.int64]
    """Places (row, column), (places, 2)."""

PLACES = 700
"""Places in each picture."""
EVENLY = 0.25
"""The weight of an even spread, added to the gradient's energy relative to its mean."""
INPUT = "input.1"


def session(model: onnx.ModelProto) -> ort.InferenceSession:
    """Open a model on every CPU."""
    content = model.SerializeToString()
    return ort.InferenceSession(content, providers=["CPUExecutionProvider"])


def activations(
    model: onnx.ModelProto, names: Sequence[str], pictures: Tensors
) -> Iterator[list[Floats]]:
    """Yield the named tensors of each picture, (channels, side, side)."""
    part = onnx.ModelProto()
    part.CopyFrom(model)
    keep(part.graph, names)
    opened = session(part)
    for picture in pictures:
        yield [tensor[0] for tensor in opened.run(list(names), {INPUT: picture})]


class Places:
    """For each convolution: where to look, and which errors there change the map."""

    def __init__(self, model: onnx.ModelProto, names: Sequence[str], pictures: Tensors) -> None:
        """Send random signs back through the network.

        The mean square of the result is that of the Jacobian's columns (Hutchinson 1990).
        """
        chance = np.random.default_rng(1)
        graded, outputs = backward(model, names)
        opened = session(graded)
        self.places: dict[str, list[Where]] = {name: [] for name in names}
        self.metric = dict.fromkeys(names, np.zeros((1, 1)))
        for picture in pictures:
            signs = chance.choice([-1, 1], (1, 1, *picture.shape[2:])).astype(np.float32)
            gradients = opened.run(outputs, {INPUT: picture, SEED: signs})
            for name, gradient in zip(names, gradients, strict=True):
                self.places[name].append(places(gradient[0], chance))
                flat = gradient[0].reshape(gradient.shape[1], -1).astype(np.float64)
                self.metric[name] = self.metric[name] + flat @ flat.T


def places(gradient: Floats, chance: np.random.Generator) -> Where:
    """Draw places (row, column), (PLACES, 2), by the gradient's energy around them."""
    energy = np.square(gradient, dtype=np.float64).sum(axis=0)
    padded = np.pad(energy, 1, mode="edge")
    blurred = np.lib.stride_tricks.sliding_window_view(padded, (3, 3)).sum(axis=(2, 3))
    share = (blurred / max(blurred.mean(), np.finfo(float).tiny) + EVENLY).ravel()
    chosen = chance.choice(share.size, PLACES, p=share / share.sum())
    return np.stack(np.unravel_index(chosen, energy.shape), axis=1)


def windows(tensor: Floats, at: Where, side: int = 3) -> Floats:
    """Return the window around each place, zero beyond the border: (places, channels * side²)."""
    reach = side // 2
    padded = np.pad(tensor, ((0, 0), (reach, reach), (reach, reach)))
    row, column = at.T
    taps = [padded[:, row + i, column + j] for i in range(side) for j in range(side)]
    return np.stack(taps, axis=-1).swapaxes(0, 1).reshape(len(at), -1)


def half_windows(tensor: Floats, at: Where) -> Floats:
    """Return windows of a half map, interpolated as its convolution is when it is upsampled."""
    (top, bottom, down), (left, right, across) = (axis(at[:, k], tensor.shape[1]) for k in (0, 1))
    total = np.zeros((len(at), 9 * len(tensor)), np.float32)
    for row, by_row in ((top, 1 - down), (bottom, down)):
        for column, by_column in ((left, 1 - across), (right, across)):
            share = (by_row * by_column)[:, np.newaxis]
            total += windows(tensor, np.stack([row, column], axis=1)) * share
    return total


def axis(at: Where, side: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return the two cells that a bilinear doubling takes, and the share of the second."""
    exact = np.maximum((at + 0.5) / 2 - 0.5, 0)
    first = exact.astype(np.int64)
    return first, np.minimum(first + 1, side - 1), (exact - first).astype(np.float32)

"""Factored convolutions: `make calibrate` fits the factors, `lighten.py` inserts them in u2netp.

A 3 x 3 convolution to n channels becomes a 3 x 3 convolution to r < n channels and a 1 x 1
convolution from r to n (Zhang, Zou, He and Sun, "Accelerating very deep convolutional networks for
classification and detection", PAMI 2016). The input of each factored convolution is an upsampled
map of half the size, concatenated with another map. In the factored form, the smaller map is
convolved before it is upsampled. This convolution needs a quarter of the work, and no
concatenation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from onnx import helper

from graph import convolution, maker, splice
from rewrite import upsampling

if TYPE_CHECKING:
    from pathlib import Path

    import onnx
    from numpy.typing import NDArray

FIELDS = ("half", "full", "expand", "bias")


@dataclass(frozen=True, slots=True)
class Factors:
    """Replaces a convolution of two maps, a and b: a has half the size of b, and is upsampled.

    The result is expand @ (up(half * a) + full * b) + bias.
    """

    half: NDArray[np.float32]
    """The kernel for map a, which has half the size; its shape is (r, c, 3, 3)."""
    full: NDArray[np.float32]
    """The kernel for map b, which has the full size; its shape is (r, c, 3, 3)."""
    expand: NDArray[np.float32]
    """The weights of the 1 x 1 convolution, (n, r)."""
    bias: NDArray[np.float32]
    """The bias of the output channels, (n,)."""


def read_factors(path: Path) -> tuple[str, dict[str, Factors]]:
    """Return the SHA-256 of the model for which the factors were fitted, and the factors by name.

    The factors have the name of the output of the convolution that they replace.
    """
    with np.load(path) as stored:
        names = [str(name) for name in stored["names"]]
        return str(stored["sha256"]), {
            name: Factors(*(stored[f"{name}_{field}"].astype(np.float32) for field in FIELDS))
            for name in names
        }


def sources(graph: onnx.GraphProto, name: str) -> tuple[str, str]:
    """Return the names of the half-size map and the full-size map that a convolution reads.

    `name` is the output of the convolution.
    """
    upsampled, full = maker(graph, maker(graph, name).input[0]).input
    return maker(graph, upsampled).input[0], full


def factorise(graph: onnx.GraphProto, name: str, factors: Factors) -> None:
    """Replace the convolution that makes `name` by the factored convolutions."""
    half_map, full_map = sources(graph, name)
    _, roi, scales = maker(graph, maker(graph, maker(graph, name).input[0]).input[0]).input
    half, up, full, both = (f"{name}_{part}" for part in ("half", "up", "full", "both"))
    nodes = [
        convolution([half_map, f"{half}_kernel"], half, side=3),
        upsampling(half, roi, scales, up),
        convolution([full_map, f"{full}_kernel"], full, side=3),
        helper.make_node("Add", [full, up], [both]),
        convolution([both, f"{name}_expand", f"{name}_bias"], name, side=1),
    ]
    arrays = {
        f"{half}_kernel": factors.half,
        f"{full}_kernel": factors.full,
        f"{name}_expand": factors.expand[:, :, np.newaxis, np.newaxis],
        f"{name}_bias": factors.bias,
    }
    splice(graph, name, nodes, arrays)

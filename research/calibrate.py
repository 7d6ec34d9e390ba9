"""Fit the factors of u2netp-light, the light version of u2netp: `make calibrate`.

The script reads the pinned `u2netp.onnx` in the given folder, and writes
`layers/model/u2netp-light.npz`. It needs about 2 GB of memory and some minutes. The network is not
trained: each fit is a regression on the network's own activations for photographs of scikit-image.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from research.network import Network
from research.regression import fit
from research.samples import Samples, half_windows, windows
from research.views import tensors

from factors import FIELDS, Factors, factorise, sources
from lighten import FACTORS, SOURCE
from rewrite import rewrite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from research.regression import Fit
    from research.samples import Floats, Positions

RANKS = {"2005": 32, "2260": 32, "2299": 16}
"""The rank of each factored convolution by the name of its output, in the order of execution.

Each of the three convolutions reads two feature maps, one at half size and one at full size, and
writes 64 channels at full size. Together, the convolutions do half of the network's work.
docs/adr/0011-low-rank-model.md has the results of other choices.
"""


def calibrate(content: bytes, pictures: Sequence[Floats]) -> dict[str, Factors]:
    """Fit one convolution after another, and return the factors by the convolution's name.

    Each convolution is fitted to its outputs in the original network. Its inputs are computed with
    the network in which earlier convolutions are already factored, so that errors do not add up.
    """
    original, light = onnx.load_from_string(content).graph, onnx.load_from_string(content).graph
    rewrite(original)
    rewrite(light)
    network = Network(original)
    samples = Samples(network, list(RANKS), pictures)
    factors = {}
    for name, rank in RANKS.items():
        at = samples.positions[name]
        features = inputs(Network(light), sources(light, name), pictures, at)
        fitted = fit(features, outputs(network, name, pictures, at), rank, samples.metric[name])
        factors[name] = factors_of(fitted, rank)
        factorise(light, name, factors[name])
        sys.stdout.write(f"{name}: rank {rank}, relative error {fitted.error:.4f}\n")
        sys.stdout.flush()
    return factors


def inputs(
    network: Network,
    names: tuple[str, str],
    pictures: Sequence[Floats],
    positions: Sequence[Positions],
) -> Floats:
    """Return the convolution's inputs at each position: (samples, 2 * channels * 9).

    `names` has the name of the feature map at half size, and then of the map at full size.
    """
    found = []
    for picture, at in zip(pictures, positions, strict=True):
        half, full = (tensor[0] for tensor in network.activations(picture, names))
        found.append(np.concatenate([half_windows(half, at), windows(full, at)], axis=1))
    return np.concatenate(found)


def outputs(
    network: Network, name: str, pictures: Sequence[Floats], positions: Sequence[Positions]
) -> Floats:
    """Return the convolution's outputs at each position: (samples, channels)."""
    return np.concatenate(
        [
            windows(network.activations(picture, [name])[0][0], at, side=1)
            for picture, at in zip(pictures, positions, strict=True)
        ]
    )


def factors_of(fitted: Fit, rank: int) -> Factors:
    """Return the matrices of a fit, reshaped to the weights of convolutions."""
    half, full = fitted.reduce.T.reshape(rank, 2, -1, 3, 3).swapaxes(0, 1)
    parts = (half, full, fitted.expand, fitted.bias)
    return Factors(*(part.astype(np.float32) for part in parts))


def write_factors(path: Path, sha256: str, factors: dict[str, Factors]) -> None:
    """Store the factors as half-precision floats: their 11 bits are more precise than the fit."""
    arrays = {
        f"{name}_{field}": getattr(each, field).astype(np.float16)
        for name, each in factors.items()
        for field in FIELDS
    }
    np.savez(path, sha256=np.str_(sha256), names=np.array(list(factors)), **arrays)


def main() -> None:
    """Fit the factors for the `u2netp.onnx` in a folder, and store them."""
    parser = argparse.ArgumentParser(description="Fit the factors of the light model.")
    parser.add_argument("folder", type=Path, help="the folder with u2netp.onnx")
    parser.add_argument("--into", type=Path, default=FACTORS, help="the file to write")
    options = parser.parse_args()
    content = (options.folder / SOURCE).read_bytes()
    write_factors(options.into, hashlib.sha256(content).hexdigest(), calibrate(content, tensors()))


if __name__ == "__main__":
    main()

"""Learn the factors of the light model anew: `python calibrate.py build/models`.

It needs the packages of the tests, the pinned `u2netp.onnx` in the folder, about 2 GB of memory
and some minutes, and writes `u2netp-light.npz` beside itself. Nothing is trained: each fit is a
linear regression on the network's own activations, on photographs that scikit-image ships.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx

from calibration.regression import fit
from calibration.samples import Places, activations, half_windows, windows
from calibration.views import tensors
from factors import Factors, factorise, sources, write_factors
from lighten import FACTORS, SOURCE
from rewrite import rewrite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calibration.regression import Fit
    from calibration.samples import Floats, Tensors, Where

RANKS = {"2005": 32, "2260": 32, "2299": 16}
"""The convolutions that are factored, in the order of their execution, and their ranks.

They are the three from a half map and a full map to 64 channels at the full side, half of the
network's work. docs/adr/0011-low-rank-model.md has what other choices gave.
"""


def calibrate(content: bytes) -> dict[str, Factors]:
    """Fit one convolution after another.

    Each is fitted to the original's responses, from what the network with the earlier ones in
    factored form feeds it, so that errors do not add up.
    """
    original, light = onnx.load_from_string(content), onnx.load_from_string(content)
    rewrite(original.graph)
    rewrite(light.graph)
    pictures = tensors()
    places = Places(original, list(RANKS), pictures)
    learned = {}
    for name, rank in RANKS.items():
        features = inputs(light, name, pictures, places.places[name])
        wanted = responses(original, name, pictures, places.places[name])
        found = fit(features, wanted, rank, places.metric[name])
        learned[name] = factors_of(found, rank)
        factorise(light.graph, name, learned[name])
        sys.stdout.write(f"{name}: rank {rank}, relative error {found.error:.4f}\n")
        sys.stdout.flush()
    return learned


def inputs(model: onnx.ModelProto, name: str, pictures: Tensors, places: Sequence[Where]) -> Floats:
    """Return what the convolution sees at each place: (samples, 2 * channels * 9)."""
    maps = activations(model, sources(model.graph, name), pictures)
    seen = [
        np.concatenate([half_windows(half, at), windows(full, at)], axis=1)
        for (half, full), at in zip(maps, places, strict=True)
    ]
    return np.concatenate(seen)


def responses(
    model: onnx.ModelProto, name: str, pictures: Tensors, places: Sequence[Where]
) -> Floats:
    """Return what the convolution answers at each place: (samples, channels)."""
    maps = activations(model, [name], pictures)
    return np.concatenate(
        [windows(response, at, side=1) for (response,), at in zip(maps, places, strict=True)]
    )


def factors_of(found: Fit, rank: int) -> Factors:
    """Give the fit the shapes of convolutions."""
    half, full = found.reduce.T.reshape(rank, 2, -1, 3, 3).swapaxes(0, 1)
    return Factors(*(part.astype(np.float32) for part in (half, full, found.expand, found.bias)))


def main(folder: Path) -> None:
    """Learn the factors of the folder's model and store them."""
    content = (folder / SOURCE).read_bytes()
    write_factors(FACTORS, hashlib.sha256(content).hexdigest(), calibrate(content))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

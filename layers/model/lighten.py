"""Build the light model from the pinned u2netp: `python lighten.py build/models`.

The script writes `u2netp-light.onnx` next to `u2netp.onnx`, which stays unchanged. If the folder
has no `u2netp.onnx`, the script does nothing. Each run writes the same file, byte for byte.
docs/imaging.md describes how the light model differs from u2netp.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import onnx

from factors import factorise, read_factors
from output import write_whole
from rewrite import rewrite

SOURCE, LIGHT = "u2netp.onnx", "u2netp-light.onnx"
FACTORS = Path(__file__).with_name("u2netp-light.npz")


class OtherModelError(Exception):
    """The file is not the model for which the factors were fitted."""


def lighten(content: bytes) -> bytes:
    """Return the content of the light model's file, made from the content of u2netp's file.

    Raises:
        OtherModelError: the content is not the model for which the factors were fitted.

    """
    sha256, factors = read_factors(FACTORS)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        message = f"the factors are for the model with sha256 {sha256}, but the file has {found}"
        raise OtherModelError(message)
    model = onnx.load_from_string(content)
    rewrite(model.graph)
    for name, each in factors.items():
        factorise(model.graph, name, each)
    del model.graph.value_info[:]
    onnx.checker.check_model(model)
    light: bytes = model.SerializeToString(deterministic=True)
    return light


def main(folder: Path) -> None:
    """If the folder contains u2netp, write the light model next to it, completely or not at all."""
    if not (folder / SOURCE).exists():
        return
    write_whole(lighten((folder / SOURCE).read_bytes()), folder / LIGHT)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

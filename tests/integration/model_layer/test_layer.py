"""The Lambda layer that `sam build` builds from the models that `make model` downloaded."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from blur.imaging.matting.models import MODELS
from sources import read_pins

ROOT = Path(__file__).parents[3]


def test_the_models_folder_of_the_layer_has_exactly_the_files_of_the_default_models(
    tmp_path: Path,
) -> None:
    # SAM builds in a copy of the folder, without the rest of the project.
    copy = shutil.copytree(ROOT / "layers" / "model", tmp_path / "scratch")
    artifacts = tmp_path / "artifacts"
    variables = {
        "ARTIFACTS_DIR": artifacts,
        "MODEL_FROM": ROOT / "build" / "models",
        "PYTHON": sys.executable,
    }
    words = [f"{name}={value}" for name, value in variables.items()]
    subprocess.run(["make", "-C", copy, "build-ModelLayer", *words], check=True)
    model = read_pins(copy / "models.toml")["u2netp"]
    names = {path.name for path in (artifacts / "models").iterdir()}
    assert names == {
        model.file,
        MODELS["u2netp-light"].file,
        "selfie_segmentation.tflite",
        "selfie-segmentation.onnx",
        "face_detection_full_range.tflite",
        "face-detection.onnx",
    }


def test_a_build_of_the_layer_with_an_unknown_model_fails_and_names_the_model(
    tmp_path: Path,
) -> None:
    folder = ROOT / "layers" / "model"
    words = [f"ARTIFACTS_DIR={tmp_path}", f"PYTHON={sys.executable}", "MODEL=giant"]
    done = subprocess.run(
        ["make", "-C", folder, "build-ModelLayer", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "unknown model 'giant'" in done.stderr

"""The supported segmentation models, and the networks for people and for faces.

This module also has the warnings and errors for model files that are missing or damaged.

The names, files and pre-processing of the segmentation models are the same as in rembg 2.0.86
(`rembg/sessions/*.py`). Only `u2netp-light` is not in rembg: it is u2netp with its costliest
convolutions factored (`layers/model/lighten.py`). `layers/model/convert.py` converts the
networks for people and for faces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

Triple: TypeAlias = tuple[float, float, float]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
ZERO: Triple = (0.0, 0.0, 0.0)
HALF: Triple = (0.5, 0.5, 0.5)
ONE: Triple = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """How to prepare the input of an ONNX file and read its output."""

    name: str
    file: str
    """The file name in the folder of models."""
    side_px: int
    """Photos are resized to a square with this side; the network's map can be smaller."""
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD
    output: int = 0
    """The index of the network's output with the finest map."""
    logits: bool = False
    """Whether the network returns logits; if so, `Model` applies a sigmoid to them."""
    like_rembg: bool = True
    """Whether `Model` prepares the input as rembg does. Otherwise it resizes the photo by averaging
    and does not divide its colours by its brightest value."""


MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        ModelSpec("u2netp", "u2netp.onnx", 320),
        ModelSpec("u2netp-light", "u2netp-light.onnx", 320),
        ModelSpec("u2net", "u2net.onnx", 320),
        ModelSpec("silueta", "silueta.onnx", 320),
        ModelSpec("isnet-general-use", "isnet-general-use.onnx", 1024, HALF, ONE),
        ModelSpec("birefnet-general-lite", "birefnet-general-lite.onnx", 1024, logits=True),
    )
}


PEOPLE = ModelSpec(
    "selfie-segmentation", "selfie-segmentation.onnx", 256, ZERO, ONE, like_rembg=False
)
"""MediaPipe's network for people. It is used together with one of `MODELS`; with subject=person, it
is used alone."""
FACES = ModelSpec(
    "face-detection", "face-detection.onnx", 192, HALF, HALF, logits=True, like_rembg=False
)
"""MediaPipe's full-range network for faces. Its map of scores is 48 x 48."""

PEOPLE_MISSING = (
    "The network for people does not exist in {}. Photos of people will have more mistakes, and"
    " subject=person is not supported. Run `make model` to create it."
)
"""The warning if the folder of models does not have the network for people."""
FACES_MISSING = (
    "The network for faces does not exist in {}. X-Type will be 'other' for all photos. Run"
    " `make model` to create it."
)
"""The warning if the folder of models does not have the network for faces."""


class ModelError(RuntimeError):
    """A model cannot be loaded: the installation is incomplete."""


class ModelMissingError(ModelError):
    """The model's file is missing."""

    def __init__(self, path: Path) -> None:
        """Set the message, which names the missing file and the command that creates it."""
        super().__init__(f"The model {path} does not exist. Run `make model` to create it.")
        self.path = path


class ModelDamagedError(ModelError):
    """The model's file is not a model that can be loaded."""

    def __init__(self, path: Path) -> None:
        """Set the message, which names the file and the command that creates it again."""
        super().__init__(f"The model {path} is damaged. Delete the file, and run `make model`.")
        self.path = path


def get_model_spec(name: str) -> ModelSpec:
    """Return the specification of a segmentation model by its name.

    Raises:
        ValueError: the name is unknown; the message lists the known names.

    """
    if name not in MODELS:
        message = f"Unknown model {name!r}. Choose one of: {', '.join(MODELS)}."
        raise ValueError(message)
    return MODELS[name]


def has_faces_model(folder: Path) -> bool:
    """Return whether `folder` has the file of the model that finds faces."""
    return (folder / FACES.file).is_file()

"""Comparisons of each model with rembg's session of the same name.

Small neural networks with the same input and output sizes replace the models. These networks are
not linear, so a wrong mean, standard deviation or activation changes the mask.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from skimage import data

from blur.imaging.matting.matte import stretch
from blur.imaging.matting.models import MODELS
from blur.imaging.matting.session import open_model
from fetch import PINS
from sources import read_pins

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8
    from blur.imaging.matting.models import ModelSpec

PHOTOS = ("astronaut", "chelsea")
ONLY_HERE = "u2netp-light"
"""rembg does not have this model; `test_matte_against_rembg` compares it with u2netp's mask."""
REMBGS = [name for name in MODELS if name != ONLY_HERE]
WEIGHTS = np.array([[1.5, -0.8, 0.7], [-2, 1, 0.3]], np.float32).reshape(2, 3, 1, 1)
BIASES = np.array([-0.6, 0.4], np.float32)
LEVELS = 1
"""The allowed difference of a pixel: two implementations of the sigmoid can differ in the last bit,
and values are truncated to whole numbers."""


def small_model(spec: ModelSpec) -> onnx.ModelProto:
    """Make a neural network with two different outputs; the second output must be ignored."""
    side = spec.side_px
    maps = ("fine", "coarse")
    nodes = [
        helper.make_node("Conv", ["photo", "weights", "biases"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["shares"]),
        helper.make_node(
            "Split", ["logits" if spec.logits else "shares"], maps, axis=1, num_outputs=len(maps)
        ),
    ]
    graph = helper.make_graph(
        nodes,
        spec.name,
        [helper.make_tensor_value_info("photo", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info(m, TensorProto.FLOAT, [1, 1, side, side]) for m in maps],
        [numpy_helper.from_array(WEIGHTS, "weights"), numpy_helper.from_array(BIASES, "biases")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for U2NET_HOME with a small neural network for each model of rembg."""
    folder = tmp_path_factory.mktemp("models")
    for name in REMBGS:
        onnx.save(small_model(MODELS[name]), folder / MODELS[name].file)
    return folder


def our_mask(spec: ModelSpec, home: Path, photo: RgbU8) -> AlphaU8:
    """Return our model's output with values scaled to 0..255, resized to the photo with Lanczos."""
    raw = open_model(spec, home, threads=1).predict(photo)
    size = (photo.shape[1], photo.shape[0])
    return np.asarray(Image.fromarray(stretch(raw)).resize(size, Image.Resampling.LANCZOS))


def rembgs_mask(name: str, home: Path, photo: RgbU8) -> AlphaU8:
    """Return the mask of rembg's session, which uses the files in U2NET_HOME."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_DISABLE_JIT", "1")  # otherwise numba compiles for a minute
        patch.setenv("U2NET_HOME", str(home))
        patch.setattr("pooch.retrieve", None)
        from rembg import new_session  # noqa: PLC0415 - the environment must be set before this import

        (mask,) = new_session(name).predict(Image.fromarray(photo))
    return np.asarray(mask)


def greatest_difference(ours: AlphaU8, theirs: AlphaU8) -> int:
    return int(np.abs(ours.astype(int) - theirs).max())


@pytest.mark.parametrize("photo_name", PHOTOS)
@pytest.mark.parametrize("name", REMBGS)
@pytest.mark.filterwarnings("ignore")  # rembg and its imports emit deprecation warnings
def test_the_mask_of_each_model_differs_from_rembgs_mask_by_at_most_one_grey_level(
    name: str, photo_name: str, home: Path
) -> None:
    photo = np.array(getattr(data, photo_name)())
    theirs = rembgs_mask(name, home, photo)
    assert np.ptp(theirs) > 200
    assert greatest_difference(our_mask(MODELS[name], home, photo), theirs) <= LEVELS


@pytest.mark.parametrize("name", REMBGS)
@pytest.mark.filterwarnings("ignore")
def test_release_and_md5_of_each_pinned_model_are_in_rembgs_source(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    from rembg.sessions import sessions  # noqa: PLC0415 - the environment must be set before this import

    source = inspect.getsource(sessions[name].download_models)
    model = read_pins(PINS)[name]
    assert f'"{model.release}"' in source
    assert f'"md5:{model.md5}"' in source

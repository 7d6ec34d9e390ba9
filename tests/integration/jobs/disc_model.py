"""A neural network that always returns the same disc, so that many photos take little time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tests.unit.imaging.pictures import disc

from blur.imaging.matting.models import get_model_spec

if TYPE_CHECKING:
    from pathlib import Path

OPSET = 17


def write_disc_model(folder: Path) -> Path:
    """Write the neural network into a new folder, under the file name of the default model."""
    spec = get_model_spec("u2netp-light")
    side, folder = spec.side_px, folder / "models"
    found = disc(side, side, side // 4, 6).astype(np.float32)[None, None] / 255
    graph = helper.make_graph(
        [helper.make_node("Constant", [], ["map"], value=numpy_helper.from_array(found))],
        "disc",
        [helper.make_tensor_value_info("photo", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, [1, 1, side, side])],
    )
    folder.mkdir()
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.save(model, folder / spec.file)
    return folder

"""Convert MediaPipe's networks for people and faces to ONNX: `python convert.py build/models`.

The script writes `selfie-segmentation.onnx` next to `selfie_segmentation.tflite`, and
`face-detection.onnx` next to `face_detection_full_range.tflite`. A missing source file is skipped.
A converted network has the weights of its source, and its results differ by at most 1e-4 from the
source's results, on average by about 1e-6. The same source file always gives the same converted
file, byte for byte. Of the network for faces, only the map of scores is converted: the service does
not use the positions of eyes, nose and mouth.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, checker, helper

from graph import add, drop_unused
from operators import GraphBuilder
from output import write_whole
from tflite_file import TfliteFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONVERTED = {
    "selfie_segmentation.tflite": "selfie-segmentation.onnx",
    "face_detection_full_range.tflite": "face-detection.onnx",
}
"""The name of the converted file, by the name of the source file."""
OPSET, IR_VERSION = 13, 7
"""ONNX Runtime supports these versions of ONNX, which have all operators that are used here."""


def convert(content: bytes) -> bytes:
    """Convert a network from the TensorFlow Lite format to the ONNX format.

    Raises:
        UnsupportedNetworkError: the network has an operator or option that the conversion does not
        support.

    """
    file = TfliteFile(content)
    builder = GraphBuilder(file)
    for operator in file.operators():
        builder.convert(operator)
    output = builder.maps.get(file.output, file.output)
    ends = [_info(file, tensor) for tensor in (file.input, output)]
    halves, casts = _halved(builder.constants)
    graph = helper.make_graph([*casts, *builder.nodes], "converted", ends[:1], ends[1:])
    add(graph, halves)
    drop_unused(graph)
    opsets = [helper.make_opsetid("", OPSET)]
    model: ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    checker.check_model(model, full_check=True)
    converted: bytes = model.SerializeToString(deterministic=True)
    return converted


def _halved(constants: dict[str, NDArray[Any]]) -> tuple[dict[str, NDArray[Any]], list[NodeProto]]:
    """Return the constants, and the nodes that convert half floats to floats.

    A constant is stored as half floats if this changes none of its values. The file then has half
    the size; the source file also has half floats. ONNX Runtime runs the nodes when it opens the
    file.
    """
    stored, casts = {}, []
    for name, values in constants.items():
        half = values.astype(np.float16) if values.dtype == np.float32 else values
        if half is values or not np.array_equal(half.astype(np.float32), values):
            stored[name] = values
            continue
        stored[f"{name}_half"] = half
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    return stored, casts


def _info(file: TfliteFile, tensor: int) -> ValueInfoProto:
    batch, height, width, channels = file.shape(tensor)
    shape = [batch, channels, height, width]
    return helper.make_tensor_value_info(str(tensor), TensorProto.FLOAT, shape)


def main(folder: Path) -> None:
    """Convert each network in the folder; write each result completely or not at all."""
    for source, converted in CONVERTED.items():
        if (folder / source).exists():
            write_whole(convert((folder / source).read_bytes()), folder / converted)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

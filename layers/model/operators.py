"""Convert the operators of MediaPipe's networks to ONNX; `CONVERTERS` lists the functions.

Images are (1, height, width, channels) in TensorFlow Lite, (1, channels, height, width) in ONNX.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tflite
from onnx import NodeProto, helper

from tflite_file import Operator, TfliteFile, UnsupportedNetworkError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class GraphBuilder:
    """An ONNX graph that grows operator by operator.

    A tensor's name is its number in the file of TensorFlow Lite.
    """

    def __init__(self, file: TfliteFile) -> None:
        """Start with a graph without nodes."""
        self.file = file
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.aliases: dict[int, int] = {}
        """Maps each tensor that is a copy in 32-bit floats to the original in half floats."""
        self.maps: dict[int, int] = {}
        """For each output that is a feature map reshaped to a list of pixels: the feature map,
        (1, height, width, channels)."""

    def convert(self, operator: Operator) -> None:
        """Add the nodes that replace an operator.

        Raises:
            UnsupportedNetworkError: the operator, or one of its options, is not supported.

        """
        if operator.kind == "DEQUANTIZE":  # converts weights that are stored as half floats
            self.aliases[operator.output] = operator.inputs[0]
            return
        if operator.kind not in CONVERTERS:
            message = f"the operator {operator.kind} is not supported"
            raise UnsupportedNetworkError(message)
        fused = getattr(operator.options, "FusedActivationFunction", None)
        if fused is not None:
            _require(fused() == tflite.ActivationFunctionType.NONE, operator, "activation")
        CONVERTERS[operator.kind](self, operator)

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:  # noqa: ANN401 - ONNX's attributes have many types
        """Add a node."""
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def weights(self, tensor: int) -> NDArray[np.float32]:
        """Return a constant's values, with the axes in TensorFlow's order."""
        return self.file.constant(self.aliases.get(tensor, tensor))

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add a constant and return its name."""
        self.constants[name] = values
        return name


def _require(holds: bool, operator: Operator, part: str) -> None:  # noqa: FBT001 - the call reads like an assertion
    if not holds:
        message = f"this {part} of {operator.kind} is not supported"
        raise UnsupportedNetworkError(message)


def _simple(kind: str, **attributes: Any) -> Callable[[GraphBuilder, Operator], None]:  # noqa: ANN401 - ONNX's attributes have many types
    """Return a converter that makes one node with the operator's inputs."""

    def convert(builder: GraphBuilder, operator: Operator) -> None:
        builder.node(kind, [str(i) for i in operator.inputs], str(operator.output), **attributes)

    return convert


def _convolution(builder: GraphBuilder, operator: Operator) -> None:
    """Convert a plain or a depthwise convolution, and its weights from OHWI or 1HWO to OIHW."""
    options, (source, weights, bias) = operator.options, operator.inputs
    kernel = builder.weights(weights)
    is_depthwise = operator.kind == "DEPTHWISE_CONV_2D"
    kernel = kernel.transpose((3, 0, 1, 2) if is_depthwise else (0, 3, 1, 2))
    _require((options.DilationHFactor(), options.DilationWFactor()) == (1, 1), operator, "dilation")
    strides = (options.StrideH(), options.StrideW())
    sides = builder.file.shape(source)[1:3]
    pads = [(0, 0), (0, 0)]
    if options.Padding() == tflite.Padding.SAME:
        pads = [_same(*axis) for axis in zip(sides, kernel.shape[2:], strides, strict=True)]
    name = str(operator.output)
    inputs = [
        str(source),
        builder.constant(f"{name}_weights", kernel),
        builder.constant(f"{name}_bias", builder.weights(bias)),
    ]
    builder.node(
        "Conv",
        inputs,
        name,
        kernel_shape=kernel.shape[2:],
        strides=strides,
        pads=[before for before, _ in pads] + [after for _, after in pads],
        group=kernel.shape[0] if is_depthwise else 1,
    )


def _same(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return how many pixels TensorFlow's padding "SAME" adds at the start and the end of an axis.

    If the total is odd, the number at the end is larger by one.
    """
    total = max(0, (-(-side // stride) - 1) * stride + kernel - side)
    return total // 2, total - total // 2


def _pool(builder: GraphBuilder, operator: Operator) -> None:
    options, (source,) = operator.options, operator.inputs
    whole = (options.FilterHeight(), options.FilterWidth()) == builder.file.shape(source)[1:3]
    _require(whole, operator, "window")
    builder.node("GlobalAveragePool", [str(source)], str(operator.output))


def _max_pool(builder: GraphBuilder, operator: Operator) -> None:
    options, (source,) = operator.options, operator.inputs
    window = (options.FilterHeight(), options.FilterWidth())
    strides = (options.StrideH(), options.StrideW())
    sides = builder.file.shape(source)[1:3]
    divides = all(side % step == 0 for side, step in zip(sides, strides, strict=True))
    _require(window == strides and divides, operator, "window")
    builder.node(
        "MaxPool", [str(source)], str(operator.output), kernel_shape=window, strides=strides
    )


def _pad(builder: GraphBuilder, operator: Operator) -> None:
    """Convert an operator that adds zeros before and after each axis."""
    source, name = operator.inputs[0], str(operator.output)
    pads = builder.file.constant(operator.inputs[1])[[0, 3, 1, 2]]
    pads_name = builder.constant(f"{name}_pads", pads.T.reshape(-1).astype(np.int64))
    builder.node("Pad", [str(source), pads_name], name)


def _reshape(builder: GraphBuilder, operator: Operator) -> None:
    """Add no node for the last operator, which turns a feature map into a list of its pixels."""
    source, name = operator.inputs[0], operator.output
    batch, height, width, channels = builder.file.shape(source)
    _require(builder.file.shape(name) == (batch, height * width, channels), operator, "shape")
    builder.maps[name] = source


def _resize(builder: GraphBuilder, operator: Operator) -> None:
    options, source, name = operator.options, operator.inputs[0], str(operator.output)
    _require(options.HalfPixelCenters() and not options.AlignCorners(), operator, "alignment")
    before, after = (builder.file.shape(each)[1:3] for each in (source, operator.output))
    scales = np.array([1, 1, after[0] / before[0], after[1] / before[1]])
    scales_name = builder.constant(f"{name}_scales", scales)
    builder.node("Resize", [str(source), "", scales_name], name, mode="linear")


def _hard_swish(builder: GraphBuilder, operator: Operator) -> None:
    """Convert x * clip(x / 6 + 1/2, 0, 1) to two nodes: this opset has no HardSwish operator."""
    source, name = str(operator.inputs[0]), str(operator.output)
    builder.node("HardSigmoid", [source], f"{name}_gate", alpha=1 / 6, beta=0.5)
    builder.node("Mul", [source, f"{name}_gate"], name)


def _transposed(builder: GraphBuilder, operator: Operator) -> None:
    """Convert MediaPipe's own operator: a transposed convolution without overlap, and a bias.

    The options of the operator are three 32-bit integers: the padding, and the strides along width
    and height (`TfLiteTransposeConvParams`). If the kernel is as large as the strides, the padding
    has no effect.
    """
    source, weights, bias = operator.inputs
    kernel = builder.weights(weights)  # (outputs, height, width, inputs)
    _, width, height = np.frombuffer(operator.options, "<i4")
    _require(kernel.shape[1:3] == (height, width), operator, "kernel")
    name = str(operator.output)
    inputs = [
        str(source),
        builder.constant(f"{name}_weights", kernel.transpose(3, 0, 1, 2)),
        builder.constant(f"{name}_bias", builder.weights(bias)),
    ]
    sides = kernel.shape[1:3]
    builder.node("ConvTranspose", inputs, name, kernel_shape=sides, strides=sides)


CONVERTERS: dict[str, Callable[[GraphBuilder, Operator], None]] = {
    "ADD": _simple("Add"),
    "AVERAGE_POOL_2D": _pool,
    "CONV_2D": _convolution,
    "Convolution2DTransposeBias": _transposed,
    "DEPTHWISE_CONV_2D": _convolution,
    "HARD_SWISH": _hard_swish,
    "LOGISTIC": _simple("Sigmoid"),
    "MAX_POOL_2D": _max_pool,
    "MUL": _simple("Mul"),
    "PAD": _pad,
    "RELU": _simple("Relu"),
    "RESHAPE": _reshape,
    "RESIZE_BILINEAR": _resize,
}
"""The function that converts an operator, by the name of the operator in the model file."""

"""Rewrites u2netp to an equivalent graph that ONNX Runtime runs faster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import helper

from graph import convolution, drop_unused, maker, splice, weight

if TYPE_CHECKING:
    import onnx

SIDE_PX = 320
SAME_SIZE = {"Conv", "Relu", "Add", "Sigmoid"}
TAPS = 9
BLOCK = 16
"""The number of channels that hold the nine taps (the weights of a 3 x 3 kernel): a multiple of 8,
because ONNX Runtime's AVX2 code computes channels in blocks of 8."""


def rewrite(graph: onnx.GraphProto) -> None:
    """Keep only the most detailed output, and make the resizes and the last convolutions faster."""
    fix_scales(graph)
    del graph.output[1:]
    drop_unused(graph)
    for name in last_convolutions(graph):
        split_taps(graph, name)


def fix_scales(graph: onnx.GraphProto) -> None:
    """Give every Resize node a whole number as its factor, instead of a computed size.

    If a Resize node has a factor, ONNX Runtime keeps the tensor in the blocked layout of its
    convolutions. If the node has a size, ONNX Runtime reorders the tensor before and after the
    resize. The mode `half_pixel` differs from PyTorch's `pytorch_half_pixel` only if the output
    is one pixel wide.
    """
    sizes = sizes_px(graph)
    for node in list(graph.node):
        if node.op_type == "Resize":
            (output,) = node.output
            factor = sizes[output] / sizes[node.input[0]]
            roi, scales = f"{output}_roi", f"{output}_scales"
            constants = {roi: np.zeros(0), scales: np.array([1, 1, factor, factor])}
            splice(graph, output, [upsampling(node.input[0], roi, scales, output)], constants)


def upsampling(source: str, roi: str, scales: str, output: str) -> onnx.NodeProto:
    """Return a node for a bilinear resize.

    Opset 11 requires the region of interest `roi`, which can be empty.
    """
    return helper.make_node(
        "Resize",
        [source, roi, scales],
        [output],
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )


def sizes_px(graph: onnx.GraphProto) -> dict[str, int]:
    """Return the side of each feature map in the graph, in pixels.

    The output of a Resize node is as large as the feature map to which it is concatenated.
    """
    sizes = {graph.input[0].name: SIDE_PX}
    for node in graph.node:
        (output,) = node.output[:1]
        known = [sizes[name] for name in node.input if name in sizes]
        if node.op_type in SAME_SIZE and known:
            sizes[output] = known[0]
        elif node.op_type == "MaxPool":
            sizes[output] = -(-known[0] // 2)
        elif node.op_type == "Concat" and known:
            sizes |= dict.fromkeys([*node.input, output], known[0])
    return sizes


def last_convolutions(graph: onnx.GraphProto) -> list[str]:
    """Return the outputs of the two convolutions that compute the two most detailed maps.

    Each of these convolutions reads a sum of two tensors of 64 channels and writes one channel.
    """
    return [
        node.output[0]
        for node in graph.node
        if node.op_type == "Conv"
        and weight(graph, node.input[1]).shape == (1, 64, 3, 3)
        and maker(graph, node.input[0]).op_type == "Add"
        and sizes_px(graph)[node.output[0]] >= SIDE_PX // 2
    ]


def split_taps(graph: onnx.GraphProto, name: str) -> None:
    """Replace a 3 x 3 convolution of a + b to one channel by nine shifted 1 x 1 convolutions.

    ONNX Runtime computes output channels in blocks of eight, so one channel takes as long as eight.
    With 16 output channels, of which nine are used, less time is wasted. The addition of a and b
    then has 16 channels instead of 64.
    """
    node = maker(graph, name)
    kernel, bias = weight(graph, node.input[1]), node.input[2]
    first, second = maker(graph, node.input[0]).input
    taps, shifts, total = f"{name}_taps", f"{name}_shifts", f"{name}_total"
    a, b, both, shifted = (f"{name}_{part}" for part in ("a", "b", "both", "shifted"))
    nodes = [
        convolution([second, taps], b, side=1),
        convolution([first, taps], a, side=1),
        helper.make_node("Add", [a, b], [both]),
        convolution([both, shifts], shifted, side=3, group=BLOCK),
        convolution([shifted, total, bias], name, side=1),
    ]
    channels = kernel.shape[1]
    by_tap = np.zeros((BLOCK, channels, 1, 1), np.float32)
    by_tap[:TAPS, :, 0, 0] = kernel[0].reshape(channels, TAPS).T
    one_hot = np.zeros((BLOCK, 1, TAPS), np.float32)
    one_hot[range(TAPS), 0, range(TAPS)] = 1
    ones = (np.arange(BLOCK) < TAPS).astype(np.float32).reshape(1, BLOCK, 1, 1)
    arrays = {taps: by_tap, shifts: one_hot.reshape(BLOCK, 1, 3, 3), total: ones}
    splice(graph, name, nodes, arrays)

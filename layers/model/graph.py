"""Functions that read an ONNX graph and replace its nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]


UNCHANGED = (np.int64, np.float16)


def maker(graph: onnx.GraphProto, name: str) -> onnx.NodeProto:
    """Return the node that makes the tensor of this name."""
    found: onnx.NodeProto = next(node for node in graph.node if name in node.output)
    return found


def weight(graph: onnx.GraphProto, name: str) -> NDArray[np.float32]:
    """Return the values of the constant `name` as floats."""
    found = next(tensor for tensor in graph.initializer if tensor.name == name)
    return np.asarray(numpy_helper.to_array(found), np.float32)


def convolution(
    inputs: Sequence[str], output: str, *, side: int, group: int = 1, dilation: int = 1
) -> onnx.NodeProto:
    """Return a node for a convolution with stride 1, which keeps the height and the width."""
    return helper.make_node(
        "Conv",
        list(inputs),
        [output],
        kernel_shape=[side, side],
        pads=[dilation * (side // 2)] * 4,
        dilations=[dilation, dilation],
        group=group,
    )


def splice(
    graph: onnx.GraphProto, name: str, nodes: Iterable[onnx.NodeProto], arrays: Arrays
) -> None:
    """Replace the node that makes the tensor `name` by `nodes` with the constants `arrays`."""
    place = next(k for k, node in enumerate(graph.node) if name in node.output)
    all_nodes = [*graph.node[:place], *nodes, *graph.node[place + 1 :]]
    del graph.node[:]
    graph.node.extend(all_nodes)
    add(graph, arrays)
    drop_unused(graph)


def add(graph: onnx.GraphProto, arrays: Arrays) -> None:
    """Add constants to the graph: int64 and float16 arrays unchanged, all others as float32."""
    for name, array in arrays.items():
        dtype = array.dtype if array.dtype in UNCHANGED else np.float32
        values = np.ascontiguousarray(array, dtype)
        graph.initializer.append(numpy_helper.from_array(values, name))


def drop_unused(graph: onnx.GraphProto) -> None:
    """Remove every node and constant that is not used to compute an output of the graph."""
    needed = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):  # a graph's nodes are in the order of their execution
        if needed & set(node.output):
            needed |= set(node.input)
            kept.append(node)
    constants = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.node[:]
    graph.node.extend(reversed(kept))
    del graph.initializer[:]
    graph.initializer.extend(constants)

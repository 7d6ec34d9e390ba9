"""The gradient of the network's map with respect to its inner tensors, as a graph of its own.

Every operation of u2netp has a gradient that ONNX can express, so the runtime that computes
the network also computes what its inner errors do to the map, and no other framework is needed.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper

from graph import add, convolution, keep, weight
from rewrite import SIDE_PX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

SEED = "seed"
"""The input that has the gradient with respect to the map, (1, 1, 320, 320)."""
BILINEAR = np.array([1, 3, 3, 1]) / 4
TWICE = np.array([1, 1, 2, 2])


def backward(model: onnx.ModelProto, names: Sequence[str]) -> tuple[onnx.ModelProto, list[str]]:
    """Return a model that computes the gradients at the named tensors, and their new names."""
    chain = Chain(model)
    return chain.model, chain.through(names)


class Chain:
    """The chain rule over one model, from its output back."""

    def __init__(self, model: onnx.ModelProto) -> None:
        """Take a copy, with an input more for the gradient that everything starts from."""
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.graph = self.model.graph
        self.seen = onnx.shape_inference.infer_shapes(model).graph
        shape = [1, 1, SIDE_PX, SIDE_PX]
        seed = helper.make_tensor_value_info(SEED, onnx.TensorProto.FLOAT, shape)
        self.graph.input.append(seed)
        self.parts = {self.graph.output[0].name: [SEED]}
        self.names = (f"gradient_{number}" for number in count())

    def through(self, names: Sequence[str]) -> list[str]:
        """Add the gradients of all nodes, and make those of the named tensors the outputs."""
        totals = {}
        for node in reversed(list(self.graph.node)):
            (output,) = node.output
            if output in self.parts and node.input[0] != self.graph.input[0].name:
                totals[output] = self.total(output)
                RULES[node.op_type](self, node, totals[output])
        outputs = [totals[name] for name in names]
        keep(self.graph, outputs)
        return outputs

    def total(self, name: str) -> str:
        """Sum what the users of a tensor hand back."""
        first, *others = self.parts[name]
        for other in others:
            first = self.node("Add", [first, other])
        return first

    def hand(self, name: str, gradient: str) -> None:
        """Hand a gradient back to an input."""
        self.parts.setdefault(name, []).append(gradient)

    def node(
        self, kind: str, inputs: Sequence[str], attributes: Mapping[str, Any] | None = None
    ) -> str:
        """Add a node and return the name of its result."""
        output = next(self.names)
        self.graph.node.append(helper.make_node(kind, list(inputs), [output], **(attributes or {})))
        return output

    def constant(self, array: NDArray[Any]) -> str:
        """Add a constant and return its name."""
        name = next(self.names)
        add(self.graph, {name: array})
        return name

    def shape(self, name: str) -> list[int]:
        """Return the shape of a tensor of the model."""
        found = next(value for value in self.seen.value_info if value.name == name)
        return [size.dim_value for size in found.type.tensor_type.shape.dim]


def convolved(chain: Chain, node: onnx.NodeProto, gradient: str) -> None:
    """Correlate with the kernel turned around, its channels exchanged, group by group."""
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    group = attributes.get("group", 1)
    kernel = weight(chain.graph, node.input[1])
    out, inner, side, _ = kernel.shape
    grouped = kernel.reshape(group, out // group, inner, side, side).swapaxes(1, 2)
    turned = grouped.reshape(group * inner, out // group, side, side)[:, :, ::-1, ::-1]
    output, dilation = next(chain.names), attributes["dilations"][0]
    inputs = [gradient, chain.constant(turned)]
    back = convolution(inputs, output, side=side, group=group, dilation=dilation)
    chain.graph.node.append(back)
    chain.hand(node.input[0], output)


def rectified(chain: Chain, node: onnx.NodeProto, gradient: str) -> None:
    """Pass the gradient where the result is positive."""
    chain.hand(node.input[0], chain.node("Mul", [gradient, chain.node("Sign", node.output)]))


def squashed(chain: Chain, node: onnx.NodeProto, gradient: str) -> None:
    """Multiply by s (1 - s)."""
    (share,) = node.output
    slope = chain.node("Sub", [share, chain.node("Mul", [share, share])])
    chain.hand(node.input[0], chain.node("Mul", [gradient, slope]))


def added(chain: Chain, node: onnx.NodeProto, gradient: str) -> None:
    """Hand the same to both summands."""
    for name in node.input:
        chain.hand(name, gradient)


def concatenated(chain: Chain, node: onnx.NodeProto, gradient: str) -> None:
    """Hand each part its channels."""
    sizes = [chain.shape(name)[1] for name in node.input]
    outputs = [next(chain.names) for _ in sizes]
    chain.graph.node.append(helper.make_node("Split", [gradient], outputs, axis=1, split=sizes))
    for name, output in zip(node.input, outputs, strict=True):
        chain.hand(name, output)


def pooled(chain: Chain, node: onnx.NodeProto, gradient: str) -> None:
    """Hand the gradient to the greatest of each four, or to each that is as great."""
    (source,), (output,) = node.input, node.output
    below = chain.node("Sign", [chain.node("Sub", [source, repeated(chain, output)])])
    greatest = chain.node("Add", [below, chain.constant(np.ones(1))])
    chain.hand(source, chain.node("Mul", [repeated(chain, gradient), greatest]))


def repeated(chain: Chain, name: str) -> str:
    """Repeat each pixel twice both ways."""
    inputs = [name, chain.constant(np.zeros(0)), chain.constant(TWICE)]
    modes = {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    }
    return chain.node("Resize", inputs, modes)


def upsampled(chain: Chain, node: onnx.NodeProto, gradient: str) -> None:
    """Reduce by the same bilinear weights; greater factors count as repeated doubling."""
    source = node.input[0]
    channels = chain.shape(source)[1]
    kernel = np.tile(np.outer(BILINEAR, BILINEAR), (channels, 1, 1, 1))
    window = {"kernel_shape": [4, 4], "pads": [1] * 4, "strides": [2, 2], "group": channels}
    factor = int(weight(chain.graph, node.input[2])[2])
    while factor > 1:
        inputs = [gradient, chain.constant(kernel)]
        gradient = chain.node("Conv", inputs, window)
        factor //= 2
    chain.hand(source, gradient)


RULES: dict[str, Callable[[Chain, onnx.NodeProto, str], None]] = {
    "Add": added,
    "Concat": concatenated,
    "Conv": convolved,
    "MaxPool": pooled,
    "Relu": rectified,
    "Resize": upsampled,
    "Sigmoid": squashed,
}

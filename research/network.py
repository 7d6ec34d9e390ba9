"""u2netp in PyTorch, read from its ONNX graph, with the values and gradients of all its tensors.

This module implements all operations that the graph has after `rewrite.rewrite`, and those of a
graph with factored convolutions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from onnx import helper, numpy_helper
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    import onnx
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]
    Attributes: TypeAlias = Mapping[str, Any]
    Operation: TypeAlias = Callable[..., torch.Tensor]


def convolve(
    attributes: Attributes, image: torch.Tensor, kernel: torch.Tensor, *bias: torch.Tensor
) -> torch.Tensor:
    """Convolve with zero padding that is equal on all sides."""
    return functional.conv2d(
        image,
        kernel,
        *bias,
        stride=attributes.get("strides", 1),
        padding=attributes["pads"][0],
        dilation=attributes.get("dilations", 1),
        groups=attributes.get("group", 1),
    )


def pool(attributes: Attributes, image: torch.Tensor) -> torch.Tensor:
    """Return the maximum of each cell; if a side of the image is odd, its last cell is smaller."""
    shape, strides = attributes["kernel_shape"], attributes["strides"]
    return functional.max_pool2d(image, shape, strides, ceil_mode=True)


def upsample(
    _: Attributes, image: torch.Tensor, __: torch.Tensor, scales: torch.Tensor
) -> torch.Tensor:
    """Enlarge bilinearly by a constant factor, with half-pixel centres."""
    return functional.interpolate(image, scale_factor=float(scales[2]), mode="bilinear")


OPERATIONS: dict[str, Operation] = {
    "Add": lambda _, first, second: first + second,
    "Concat": lambda attributes, *parts: torch.cat(parts, dim=attributes["axis"]),
    "Conv": convolve,
    "MaxPool": pool,
    "Relu": lambda _, values: functional.relu(values),
    "Resize": upsample,
    "Sigmoid": lambda _, values: torch.sigmoid(values),
}


class Network:
    """A network that returns any of its tensors by its name in the ONNX graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        """Read the nodes and the weights of the graph."""
        self._input, self._map = graph.input[0].name, graph.output[0].name
        self._nodes = list(graph.node)
        self._weights = {
            each.name: torch.from_numpy(numpy_helper.to_array(each).copy())
            for each in graph.initializer
        }

    def activations(self, picture: Floats, names: Sequence[str]) -> list[Floats]:
        """Return the named tensors for a picture (1, 3, side, side)."""
        with torch.no_grad():
            values = self._values(torch.from_numpy(picture), set(names))
        return [values[name].numpy() for name in names]

    def matte(self, picture: Floats) -> Floats:
        """Return the network's output, (1, 1, side, side)."""
        (matte,) = self.activations(picture, [self._map])
        return matte

    def gradients(self, picture: Floats, names: Sequence[str], signs: Floats) -> list[Floats]:
        """Return the gradients of the output times `signs` with respect to the named tensors."""
        values = self._values(torch.from_numpy(picture).requires_grad_(), {*names, self._map})
        tensors = [values[name] for name in names]
        found = torch.autograd.grad(values[self._map], tensors, torch.from_numpy(signs))
        return [gradient.numpy() for gradient in found]

    def _values(self, picture: torch.Tensor, wanted: set[str]) -> dict[str, torch.Tensor]:
        """Run the nodes in order until `wanted` is computed; return all tensors computed so far."""
        values = {**self._weights, self._input: picture}
        missing = set(wanted)
        for node in self._nodes:
            if not missing:
                break
            attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
            inputs = [values[name] for name in node.input]
            values[node.output[0]] = OPERATIONS[node.op_type](attributes, *inputs)
            missing.discard(node.output[0])
        return values

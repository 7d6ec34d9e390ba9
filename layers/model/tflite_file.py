"""Read a network in TensorFlow Lite's format: operators, options of operators, and constants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tflite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

OPERATORS = {
    number: name for name, number in vars(tflite.BuiltinOperator).items() if name.isupper()
}
DTYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}


class UnsupportedNetworkError(Exception):
    """The network has a part that the conversion does not support."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator; tensors are identified by their numbers."""

    kind: str
    """The name of the built-in or custom operator."""
    inputs: list[int]
    output: int
    options: Any
    """An object of one of the option classes of `tflite`; bytes for a custom operator."""


class TfliteFile:
    """A file with one subgraph, which has one input and one output with a single channel."""

    def __init__(self, content: bytes) -> None:
        """Parse the content.

        Raises:
            UnsupportedNetworkError: the file does not have exactly one subgraph, one input, and one
            output with a single channel.

        """
        self._model = tflite.Model.GetRootAsModel(content, 0)
        self._graph = self._model.Subgraphs(0)
        outputs = [int(self._graph.Outputs(k)) for k in range(self._graph.OutputsLength())]
        maps = [each for each in outputs if self.shape(each)[-1] == 1]
        if (self._model.SubgraphsLength(), self._graph.InputsLength(), len(maps)) != (1, 1, 1):
            message = "only one subgraph, one input and one output of one channel are supported"
            raise UnsupportedNetworkError(message)
        self.input = int(self._graph.Inputs(0))
        [self.output] = maps

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Return a tensor's shape, with the axes in TensorFlow's order."""
        table = self._graph.Tensors(tensor)
        return tuple(table.Shape(axis) for axis in range(table.ShapeLength()))

    def constant(self, tensor: int) -> NDArray[np.float32]:
        """Return the values of a constant as floats."""
        table = self._graph.Tensors(tensor)
        content = self._model.Buffers(table.Buffer()).DataAsNumpy().tobytes()
        return np.frombuffer(content, DTYPES[table.Type()]).reshape(self.shape(tensor)).astype("f4")

    def operators(self) -> Iterator[Operator]:
        """Yield the operators in the order of their execution."""
        for place in range(self._graph.OperatorsLength()):
            operator = self._graph.Operators(place)
            code = self._model.OperatorCodes(operator.OpcodeIndex())
            # A number up to 127 can be only in the older of two fields; the newer is then 0.
            kind = OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            if kind == "CUSTOM":
                kind = code.CustomCode().decode()
                options: Any = operator.CustomOptionsAsNumpy().tobytes()
            else:
                options = _options(operator)
            inputs = [operator.Inputs(k) for k in range(operator.InputsLength())]
            yield Operator(kind, inputs, operator.Outputs(0), options)


OPTIONS = {
    getattr(tflite.BuiltinOptions, name): getattr(tflite, name)
    for name in (
        "AddOptions",
        "Conv2DOptions",
        "DepthwiseConv2DOptions",
        "MulOptions",
        "Pool2DOptions",
        "ResizeBilinearOptions",
    )
}


def _options(operator: Any) -> Any:  # noqa: ANN401 - tflite has no type annotations
    kind = OPTIONS.get(operator.BuiltinOptionsType())
    if kind is None:
        return None
    options, table = kind(), operator.BuiltinOptions()
    options.Init(table.Bytes, table.Pos)
    return options

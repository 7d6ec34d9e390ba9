"""Neural networks that are opened once in a process and run once for each input.

An inference takes most of the time of a request for a small photo. Tests that are not about the
network share the real network's results for the same input and number of threads.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

import onnxruntime as ort

from blur.imaging.matting.session import Model

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from blur.imaging.matting.models import ModelSpec

InferenceSession = ort.InferenceSession


class SharedSession:
    """An inference session that returns stored outputs if an input is repeated."""

    def __init__(self, path: str, threads: int) -> None:
        """Open the neural network; each inference uses `threads` threads."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._outputs: dict[tuple[str, ...], list[NDArray[np.float32]]] = {}
        self.get_inputs, self.get_outputs = self._session.get_inputs, self._session.get_outputs

    def run(
        self, names: Sequence[str], feed: dict[str, NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """Return new copies of the outputs."""
        digests = (
            f"{name}{hashlib.sha256(array.data).hexdigest()}" for name, array in feed.items()
        )
        key = (*names, *digests)
        if key not in self._outputs:
            self._outputs[key] = self._session.run(names, feed)
        return [output.copy() for output in self._outputs[key]]


shared_session = cache(SharedSession)


def open_shared(spec: ModelSpec, folder: Path) -> Model:
    """Open one of the project's neural networks with one thread, as `session.open_model` does."""
    return Model(spec, shared_session(str(folder / spec.file), 1))


def open_session(path: str, options: Any, **_: object) -> SharedSession:  # noqa: ANN401 - onnxruntime has no types
    """Replace `onnxruntime.InferenceSession` in tests that use the fixture `shared_networks`."""
    return shared_session(path, options.intra_op_num_threads)

"""Load an ONNX model and run it on a photo."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, cast

import numpy as np
from PIL import Image

from blur.imaging.matting.models import FACES, PEOPLE, ModelDamagedError, ModelMissingError
from blur.imaging.resample import resize, upscale

if TYPE_CHECKING:
    from pathlib import Path

    import onnxruntime as ort
    from numpy.typing import NDArray

    from blur.imaging.arrays import RgbU8
    from blur.imaging.matting.models import ModelSpec

EPSILON = 1e-6
"""The smallest divisor for the colours of an image. It prevents a division by zero for a black
image. rembg uses the same value."""
MAX_SIDE_PX = 1 << 20
"""A side with more pixels is first resized to this length, because Pillow cannot resize images with
a side of more than 44 million pixels."""


class Model:
    """A loaded network. Threads can share it; it runs one inference at a time."""

    def __init__(self, spec: ModelSpec, session: ort.InferenceSession) -> None:
        """Wrap a session whose input and outputs match `spec`."""
        self.spec = spec
        self._session = session
        self._input = session.get_inputs()[0].name
        self._output = session.get_outputs()[spec.output].name
        self._lock = Lock()

    @property
    def side_px(self) -> int:
        """The side of the square to which photos are resized."""
        return self.spec.side_px

    def predict(self, photo: RgbU8) -> NDArray[np.float32]:
        """Return the raw map of the subject, (side, side). Its values are approximately 0..1.

        For the network for faces, return a map of scores, (side / 4, side / 4), instead.
        """
        prepare = to_tensor if self.spec.like_rembg else to_unit_tensor
        tensor = prepare(photo, self.spec)
        with self._lock:
            (output,) = self._session.run([self._output], {self._input: tensor})
        raw = cast("NDArray[np.float32]", output)[0, 0]
        return sigmoid(raw) if self.spec.logits else raw


def open_model(spec: ModelSpec, folder: Path, *, threads: int) -> Model:
    """Load `spec.file` from `folder`. Each inference uses `threads` threads, which is at least 1.

    Raises:
        ModelMissingError: the file does not exist.
        ModelDamagedError: the file cannot be loaded.

    """
    path = folder / spec.file
    if not path.is_file():
        raise ModelMissingError(path)
    import onnxruntime as ort  # noqa: PLC0415 - slow import, which processes without a model do not need

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # By default, threads without work run in a loop, which takes CPU time from other processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except MemoryError:
        raise
    except Exception as error:  # ONNX Runtime's errors have no common base class
        raise ModelDamagedError(path) from error
    return Model(spec, session)


def open_people_model(folder: Path, *, threads: int) -> Model | None:
    """Load the network for people from `folder`; return None if its file does not exist.

    Raises:
        ModelDamagedError: the file cannot be loaded.

    """
    return _open_optional(PEOPLE, folder, threads)


def open_faces_model(folder: Path, *, threads: int) -> Model | None:
    """Load the network for faces from `folder`; return None if its file does not exist.

    Raises:
        ModelDamagedError: the file cannot be loaded.

    """
    return _open_optional(FACES, folder, threads)


def _open_optional(spec: ModelSpec, folder: Path, threads: int) -> Model | None:
    try:
        return open_model(spec, folder, threads=threads)
    except ModelMissingError:
        return None


def to_tensor(photo: RgbU8, spec: ModelSpec) -> NDArray[np.float32]:
    """Prepare the photo as rembg's `BaseSession.normalize` does: (1, 3, side, side)."""
    height, width = photo.shape[:2]
    photo = resize(photo, (min(height, MAX_SIDE_PX), min(width, MAX_SIDE_PX)))
    size = (spec.side_px, spec.side_px)
    small = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS))
    scaled = small / max(float(small.max()), EPSILON)
    normal = (scaled - np.array(spec.mean)) / np.array(spec.std)
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[np.newaxis], dtype=np.float32)


def to_unit_tensor(photo: RgbU8, spec: ModelSpec) -> NDArray[np.float32]:
    """Return the photo, (1, 3, side, side), with colours scaled to 0..1 and then standardised.

    The colours are standardised by subtracting `spec.mean` and dividing by `spec.std`.
    """
    height, width = photo.shape[:2]
    shape = (spec.side_px, spec.side_px)
    small = upscale(resize(photo, (min(height, shape[0]), min(width, shape[1]))), shape)
    planes = np.ascontiguousarray(small.transpose(2, 0, 1)[np.newaxis])
    mean, std = np.array((spec.mean, spec.std), np.float32).reshape(2, 3, 1, 1)
    return (np.divide(planes, 255, dtype=np.float32) - mean) / std


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map logits to 0..1 without overflow: 1 / (1 + exp(-x)), written with tanh."""
    half = np.float32(0.5)
    probability: NDArray[np.float32] = half * (1 + np.tanh(half * logits))
    return probability

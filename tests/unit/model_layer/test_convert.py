"""The network for people, converted from the real file and held against its publisher's runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime as ort
import pytest
from ai_edge_litert.interpreter import Interpreter
from tests.unit.imaging.pictures import sample_photo

from convert import CONVERTED, SOURCE, convert, main
from tflite_file import UnsupportedNetworkError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SIDE_PX = 256


@pytest.fixture(scope="module")
def pinned(model_dir: Path) -> bytes:
    return (model_dir / SOURCE).read_bytes()


def picture(name: str) -> NDArray[np.float32]:
    """A square of a real photo, 0..1, (1, 256, 256, 3)."""
    photo = sample_photo(name)
    rows, columns = (np.linspace(0, side - 1, SIDE_PX).astype(int) for side in photo.shape[:2])
    square = photo[rows][:, columns][np.newaxis].astype(np.float32)
    scaled: NDArray[np.float32] = square / np.float32(255)
    return scaled


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_the_converted_network_gives_the_publishers_output(pinned: bytes, name: str) -> None:
    theirs = Interpreter(model_content=pinned, num_threads=1)
    theirs.allocate_tensors()
    theirs.set_tensor(theirs.get_input_details()[0]["index"], picture(name))
    theirs.invoke()
    expected = theirs.get_tensor(theirs.get_output_details()[0]["index"])[0, ..., 0]
    session = ort.InferenceSession(convert(pinned), providers=["CPUExecutionProvider"])
    [source] = session.get_inputs()
    [found] = session.run(None, {source.name: picture(name).transpose(0, 3, 1, 2)})
    assert expected.max() - expected.min() > 0.5
    assert np.abs(found[0, 0] - expected).mean() < 1 / 255


def test_the_same_file_is_converted_to_the_same_bytes(pinned: bytes, model_dir: Path) -> None:
    assert convert(pinned) == convert(pinned) == (model_dir / CONVERTED).read_bytes()


def test_the_converted_network_is_small(pinned: bytes) -> None:
    assert len(convert(pinned)) < 500_000


def test_a_folder_without_the_network_does_not_change(tmp_path: Path) -> None:
    main(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_operator_is_refused_by_its_name(pinned: bytes) -> None:
    other = pinned.replace(b"Convolution2DTransposeBias", b"Convolution2DTransposeBiaz")
    assert other != pinned
    with pytest.raises(UnsupportedNetworkError, match="Convolution2DTransposeBiaz"):
        convert(other)

"""The converted neural networks for people and faces, compared with the originals."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort
import pytest
from tests.unit.imaging.pictures import sample_photo

from convert import CONVERTED, convert, main
from operators import GraphBuilder
from tflite_file import TfliteFile, UnsupportedNetworkError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PEOPLE, FACES = CONVERTED


@pytest.fixture(scope="module")
def pinned(model_dir: Path) -> bytes:
    return (model_dir / PEOPLE).read_bytes()


def picture(name: str, side_px: int, lowest: float) -> NDArray[np.float32]:
    """Return a photo as a square, (1, side_px, side_px, 3), with values from `lowest` to 1."""
    photo = sample_photo(name)
    rows, columns = (np.linspace(0, side - 1, side_px).astype(int) for side in photo.shape[:2])
    square = photo[rows][:, columns][np.newaxis].astype(np.float32)
    scaled: NDArray[np.float32] = lowest + square * np.float32((1 - lowest) / 255)
    return scaled


def outputs(content: bytes, source: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the one-channel output of the publisher's network and of the converted network."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - a slow import that few tests need

    theirs = Interpreter(model_content=content, num_threads=1)
    theirs.allocate_tensors()
    theirs.set_tensor(theirs.get_input_details()[0]["index"], source)
    theirs.invoke()
    [index] = [each["index"] for each in theirs.get_output_details() if each["shape"][-1] == 1]
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # more threads would use CPU time while they wait
    session = ort.InferenceSession(convert(content), options, providers=["CPUExecutionProvider"])
    [put] = session.get_inputs()
    [found] = session.run(None, {put.name: source.transpose(0, 3, 1, 2)})
    return theirs.get_tensor(index)[0, ..., 0].reshape(found.shape[2:]), found[0, 0]


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_the_converted_network_for_people_has_the_same_output_as_the_publishers_network(
    pinned: bytes, name: str
) -> None:
    expected, found = outputs(pinned, picture(name, 256, 0))
    assert expected.max() - expected.min() > 0.5
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_the_converted_network_for_faces_has_the_same_scores_as_the_publishers_network(
    model_dir: Path, name: str
) -> None:
    expected, found = outputs((model_dir / FACES).read_bytes(), picture(name, 192, -1))
    assert found.shape == (48, 48)
    assert (expected.max() > 0) == (name == "astronaut")
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("source", CONVERTED)
def test_the_same_file_is_converted_to_the_same_bytes(source: str, model_dir: Path) -> None:
    content = (model_dir / source).read_bytes()
    assert convert(content) == convert(content) == (model_dir / CONVERTED[source]).read_bytes()


def test_the_files_of_the_converted_neural_networks_are_smaller_than_their_limits(
    model_dir: Path,
) -> None:
    sizes = [(model_dir / converted).stat().st_size for converted in CONVERTED.values()]
    assert sizes[0] < 500_000
    assert sizes[1] < 2_200_000


def test_a_folder_without_files_to_convert_does_not_change(tmp_path: Path) -> None:
    main(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_error_for_an_unknown_operator_names_the_operator(pinned: bytes) -> None:
    other = pinned.replace(b"Convolution2DTransposeBias", b"Convolution2DTransposeBiaz")
    assert other != pinned
    with pytest.raises(UnsupportedNetworkError, match="Convolution2DTransposeBiaz"):
        convert(other)


def test_a_reshape_whose_output_is_not_a_list_of_all_pixels_is_rejected(model_dir: Path) -> None:
    file = TfliteFile((model_dir / FACES).read_bytes())
    *_, last = [each for each in file.operators() if each.kind == "RESHAPE"]
    other = replace(last, output=file.input)
    with pytest.raises(UnsupportedNetworkError, match="shape of RESHAPE"):
        GraphBuilder(file).convert(other)

"""The light model, a faster u2netp that is built from the pinned file of u2netp."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from tests.unit.imaging.pictures import sample_photo

from blur.imaging.matting.models import MODELS
from blur.imaging.matting.session import open_model, to_tensor
from factors import read_factors
from fetch import PINS
from graph import weight
from lighten import FACTORS, LIGHT, SOURCE, OtherModelError, lighten, main
from rewrite import rewrite, sizes_px
from sources import read_pins


@pytest.fixture(scope="module")
def pinned(model_dir: Path) -> bytes:
    return (model_dir / SOURCE).read_bytes()


def test_the_stored_factors_of_the_light_model_were_computed_for_the_pinned_model() -> None:
    sha256, factors = read_factors(FACTORS)
    assert sha256 == read_pins(PINS)["u2netp"].sha256
    assert factors


def test_a_model_other_than_the_pinned_model_is_rejected(pinned: bytes) -> None:
    with pytest.raises(OtherModelError, match="sha256"):
        lighten(pinned + b"\x00")


def test_the_same_pinned_model_gives_the_same_light_model(
    pinned: bytes, model_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / SOURCE).write_bytes(pinned)
    main(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {SOURCE, LIGHT}
    assert (tmp_path / LIGHT).read_bytes() == (model_dir / LIGHT).read_bytes()
    assert (tmp_path / SOURCE).read_bytes() == pinned


def test_no_light_model_is_written_if_the_folder_has_only_another_model(tmp_path: Path) -> None:
    (tmp_path / "u2net.onnx").write_bytes(b"")
    main(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["u2net.onnx"]


def run(model: onnx.ModelProto) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # more threads would use CPU time while they wait
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feed = {"input.1": to_tensor(sample_photo("coffee"), MODELS["u2netp"])}
    return np.asarray(session.run([session.get_outputs()[0].name], feed)[0])


def test_rewriting_the_graph_changes_the_output_by_less_than_one_in_10_000(pinned: bytes) -> None:
    model = onnx.load_from_string(pinned)
    before = run(model)
    rewrite(model.graph)
    assert {node.op_type for node in model.graph.node}.isdisjoint({"Shape", "Slice", "Cast"})
    assert np.abs(run(model) - before).max() < 1e-4


def multiplications(content: bytes) -> int:
    graph = onnx.load_from_string(content).graph
    sides = sizes_px(graph)
    return sum(
        prod(weight(graph, node.input[1]).shape) * sides[node.output[0]] ** 2
        for node in graph.node
        if node.op_type == "Conv"
    )


def test_the_light_model_has_a_third_fewer_multiplications(pinned: bytes, model_dir: Path) -> None:
    rewritten = onnx.load_from_string(pinned)
    rewrite(rewritten.graph)
    before = multiplications(rewritten.SerializeToString())
    assert multiplications((model_dir / LIGHT).read_bytes()) <= before * 2 / 3


def test_the_output_of_the_light_model_is_close_to_the_output_of_the_original_model(
    model_dir: Path,
) -> None:
    # A retina differs much from usual photos, but the model finds a bright disc in its image.
    picture = np.ascontiguousarray(sample_photo("retina")[::4, ::4])
    exact, light = (
        open_model(MODELS[name], model_dir, threads=1).predict(picture)
        for name in ("u2netp", "u2netp-light")
    )
    assert np.abs(exact - light).mean() < 0.02

"""What the factors are learned with: gradients, windows and the fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from blur.imaging.matting.models import MODELS
from blur.imaging.matting.session import to_tensor
from calibration.backward import SEED, backward
from calibration.regression import fit, rectify
from calibration.samples import INPUT, half_windows, session, windows
from calibration.views import VIEWS, photos, views
from graph import add, maker
from lighten import SOURCE
from rewrite import rewrite, upsampling

NAME = "2299"
"""A convolution near the end, whose gradient has every rule but that of pooling behind it."""
EARLY = "2005"
STEP = 1e-2


@pytest.fixture(scope="module")
def network(model_dir: Path) -> onnx.ModelProto:
    model = onnx.load_from_string((model_dir / SOURCE).read_bytes())
    rewrite(model.graph)
    return model


def bumped(model: onnx.ModelProto, name: str, bump: np.ndarray) -> onnx.ModelProto:
    """Return the model with something added to one of its tensors."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    node = maker(changed.graph, name)
    place = list(changed.graph.node).index(node)
    node.output[0] = "before"
    changed.graph.node.insert(place + 1, helper.make_node("Add", ["before", "bump"], [name]))
    add(changed.graph, {"bump": bump})
    return changed


@pytest.mark.parametrize("name", [NAME, EARLY])
def test_the_gradient_is_what_a_small_step_does(network: onnx.ModelProto, name: str) -> None:
    picture = to_tensor(photos()[0], MODELS["u2netp"])
    signs = np.random.default_rng(0).choice([-1, 1], (1, 1, 320, 320)).astype(np.float32)
    graded, outputs = backward(network, [name])
    (gradient,) = session(graded).run(outputs, {INPUT: picture, SEED: signs})
    at = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
    bump = np.zeros(gradient.shape)
    bump[at] = STEP
    up, down = (
        session(bumped(network, name, sign * bump)).run(None, {INPUT: picture})[0]
        for sign in (1, -1)
    )
    step = float(((up - down) * signs).sum()) / (2 * STEP)
    assert step == pytest.approx(float(gradient[at]), rel=0.15)


def test_windows_of_a_half_map_are_those_that_upsampling_mixes() -> None:
    chance = np.random.default_rng(0)
    half = chance.normal(size=(2, 6, 6)).astype(np.float32)
    node = upsampling("half", "roi", "scales", "full")
    shapes = ([1, 2, 6, 6], [1, 2, 12, 12])
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in zip(("half", "full"), shapes, strict=True)
    ]
    graph = helper.make_graph([node], "upsampling", ends[:1], ends[1:])
    add(graph, {"roi": np.zeros(0), "scales": np.array([1, 1, 2, 2])})
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    (full,) = session(model).run(None, {"half": half[np.newaxis]})
    everywhere = np.stack(np.unravel_index(np.arange(144), (12, 12)), axis=1)
    centre = half_windows(half, everywhere)[:, [4, 13]]
    assert centre == pytest.approx(full[0].reshape(2, -1).T, abs=1e-6)


def test_a_window_is_zero_beyond_the_border() -> None:
    picture = np.ones((1, 4, 4), np.float32)
    (corner, middle) = windows(picture, np.array([[0, 0], [1, 2]]))
    assert corner.tolist() == [0, 0, 0, 0, 1, 1, 0, 1, 1]
    assert middle.tolist() == [1] * 9


def test_the_fit_finds_a_map_that_is_of_low_rank() -> None:
    chance = np.random.default_rng(0)
    features = chance.normal(size=(3000, 30)).astype(np.float32)
    reduce, expand, bias = chance.normal(size=(30, 4)), chance.normal(size=(12, 4)), np.arange(12)
    responses = (features @ reduce @ expand.T + bias).astype(np.float32)
    found = fit(features, responses, 4, np.diag(np.arange(1.0, 13)))
    again = features @ found.reduce @ found.expand.T + found.bias
    assert found.error < 1e-4
    assert np.abs(rectify(again) - rectify(responses)).max() < 0.1


def test_the_fit_spends_its_rank_where_the_metric_says() -> None:
    chance = np.random.default_rng(0)
    features = chance.normal(size=(3000, 8)).astype(np.float32)
    metric = np.diag([1.0, 100.0])
    responses = (features[:, :2] * [3, 1] + 5).astype(np.float32)
    found = fit(features, responses, 1, metric)
    errors = np.abs(features @ found.reduce @ found.expand.T + found.bias - responses).mean(axis=0)
    assert errors[1] < errors[0] / 5


def test_every_photo_gives_the_same_views_each_time() -> None:
    first, second = (
        [view for photo in photos()[:1] for view in views(photo, np.random.default_rng(5))]
        for _ in range(2)
    )
    assert len(first) == VIEWS
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))

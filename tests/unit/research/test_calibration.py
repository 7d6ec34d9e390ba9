"""The calibration of the light model: it samples features, varies photos and fits a regression."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper
from research.regression import fit, rectify
from research.samples import half_windows, windows
from research.views import VIEWS, photos, views

from graph import add
from rewrite import upsampling


def test_half_windows_have_the_upsampled_features_at_their_centres() -> None:
    generator = np.random.default_rng(0)
    half = generator.normal(size=(2, 6, 6)).astype(np.float32)
    node = upsampling("half", "roi", "scales", "full")
    shapes = ([1, 2, 6, 6], [1, 2, 12, 12])
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in zip(("half", "full"), shapes, strict=True)
    ]
    graph = helper.make_graph([node], "upsampling", ends[:1], ends[1:])
    add(graph, {"roi": np.zeros(0), "scales": np.array([1.0, 1, 2, 2])})
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (full,) = session.run(None, {"half": half[np.newaxis]})
    everywhere = np.stack(np.unravel_index(np.arange(144), (12, 12)), axis=1)
    centre = half_windows(half, everywhere)[:, [4, 13]]
    assert centre == pytest.approx(full[0].reshape(2, -1).T, abs=1e-6)


def test_windows_at_the_edge_are_padded_with_zeros() -> None:
    picture = np.ones((1, 4, 4), np.float32)
    (corner, middle) = windows(picture, np.array([[0, 0], [1, 2]]))
    assert corner.tolist() == [0, 0, 0, 0, 1, 1, 0, 1, 1]
    assert middle.tolist() == [1] * 9


def test_the_fit_recovers_a_linear_map_of_low_rank() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(3000, 30)).astype(np.float32)
    reduce, expand, bias = (
        generator.normal(size=(30, 4)),
        generator.normal(size=(12, 4)),
        np.arange(12),
    )
    responses = (features @ reduce @ expand.T + bias).astype(np.float32)
    found = fit(features, responses, 4, np.diag(np.arange(1.0, 13)))
    again = features @ found.reduce @ found.expand.T + found.bias
    assert found.error < 1e-4
    assert np.abs(rectify(again) - rectify(responses)).max() < 0.1


def test_the_fit_is_closest_in_the_channel_with_the_largest_weight() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(3000, 8)).astype(np.float32)
    metric = np.diag([1.0, 100.0])
    responses = (features[:, :2] * [3, 1] + 5).astype(np.float32)
    found = fit(features, responses, 1, metric)
    errors = np.abs(features @ found.reduce @ found.expand.T + found.bias - responses).mean(axis=0)
    assert errors[1] < errors[0] / 5


def test_the_same_seed_gives_the_same_crops_and_colours_of_a_photo() -> None:
    first, second = (
        [view for photo in photos()[:1] for view in views(photo, np.random.default_rng(5))]
        for _ in range(2)
    )
    assert len(first) == VIEWS
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))

from __future__ import annotations

import numpy as np
import pytest

from blur.imaging.compositing.fill import fill


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (33, 1), (31, 47)])
def test_one_weighted_place_colours_the_whole_picture(shape: tuple[int, int]) -> None:
    colours, weights = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
    colours[shape[0] // 2, shape[1] // 2] = (10, 20, 30)
    weights[shape[0] // 2, shape[1] // 2] = 1
    filled = fill(colours, weights)
    np.testing.assert_allclose(filled, np.broadcast_to((10, 20, 30), filled.shape), atol=0.01)


def test_full_weight_keeps_its_own_colour() -> None:
    colours = np.random.default_rng(0).random((20, 30, 3), np.float32) * 255
    np.testing.assert_allclose(fill(colours, np.ones((20, 30), np.float32)), colours, atol=1e-3)


def test_a_hole_takes_the_colour_of_its_nearer_side() -> None:
    colours, weights = np.zeros((32, 64, 3), np.float32), np.zeros((32, 64), np.float32)
    weights[:, :8] = weights[:, -8:] = 1
    colours[:, -8:] = 200
    filled = fill(colours, weights)
    assert filled[:, 12].max() < 60
    assert filled[:, -13].min() > 140


def test_where_nothing_has_weight_everything_counts_alike() -> None:
    colours = np.full((5, 7, 3), 90, np.float32)
    np.testing.assert_allclose(fill(colours, np.zeros((5, 7), np.float32)), colours, atol=1e-3)


@pytest.mark.parametrize("exponent", range(-9, 0))
def test_weights_however_faint_darken_nothing(exponent: int) -> None:
    exponents = np.random.default_rng(0).uniform(-9, exponent, (9, 7))
    weights = (10.0**exponents).astype(np.float32)
    colours = np.full((9, 7, 3), 90, np.float32)
    np.testing.assert_allclose(fill(colours, weights), colours, atol=1e-2)

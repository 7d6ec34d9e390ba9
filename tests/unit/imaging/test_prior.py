from __future__ import annotations

import numpy as np
import pytest
from tests.unit.imaging.pictures import flat, noise

from blur.imaging.prior import Prior, fill
from blur.imaging.tiles import Window


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (33, 7), (64, 64)])
def test_one_weighted_place_colours_the_whole_picture(shape: tuple[int, int]) -> None:
    planes = np.zeros((4, *shape), np.float32)
    planes[:, 0, 0] = (10, 20, 30, 1)
    filled = fill(planes)
    np.testing.assert_allclose(filled, np.broadcast_to(filled[:, :1, :1], filled.shape), rtol=1e-4)
    np.testing.assert_allclose(filled[:, 0, 0], (10, 20, 30), rtol=1e-5)


def test_full_weight_keeps_its_own_colour() -> None:
    planes = np.ones((4, 12, 10), np.float32)
    planes[:3] = noise(12, 10).transpose(2, 0, 1)
    np.testing.assert_allclose(fill(planes), planes[:3], rtol=1e-6)


def test_a_hole_takes_the_colour_of_its_nearer_side() -> None:
    colours = np.hstack((flat(64, 32, (200, 0, 0)), flat(64, 32, (0, 0, 200))))
    weights = np.full((64, 64), 255, np.uint8)
    weights[:, 16:48] = 0
    filled = Prior.of(colours, weights, 1).at(Window(0, 0, 64, 64))
    assert filled[0, 32, 18] > filled[2, 32, 18] + 50
    assert filled[2, 32, 45] > filled[0, 32, 45] + 50


def test_where_nothing_has_weight_everything_counts_alike() -> None:
    filled = Prior.of(flat(90, 70, (9, 90, 200)), np.zeros((90, 70), np.uint8), 4)
    colours = filled.at(Window(0, 0, 23, 18))
    np.testing.assert_allclose(colours, np.broadcast_to([[[9]], [[90]], [[200]]], (3, 23, 18)))


def test_a_large_picture_gets_a_grid_of_few_cells() -> None:
    prior = Prior.of(flat(3000, 20, (1, 2, 3)), np.full((3000, 20), 255, np.uint8), 2)
    assert max(prior.planes.shape) <= 256 + 4
    assert prior.at(Window(-2, -2, 1502, 12)).shape == (3, 1504, 14)

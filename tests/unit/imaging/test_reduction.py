from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.imaging.pictures import flat, noise, random_coverage

from blur.imaging.reduction import cells, extend, weigh
from blur.imaging.tiles import Window


def test_cells_cover_the_picture_and_no_more() -> None:
    assert cells((16, 17), 8) == (2, 3)
    assert cells((1, 1), 32) == (1, 1)


@given(
    top=st.integers(-30, 30),
    left=st.integers(-30, 30),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_a_window_beyond_the_picture_sees_the_edge_pixels_go_on(
    top: int, left: int, height: int, width: int
) -> None:
    picture = noise(7, 9)
    rows = np.clip(np.arange(top, top + height), 0, 6)
    columns = np.clip(np.arange(left, left + width), 0, 8)
    cut = extend(picture, Window(top, left, top + height, left + width))
    np.testing.assert_array_equal(cut, picture[np.ix_(rows, columns)])


@pytest.mark.parametrize("step", [1, 2, 4, 16])
def test_cells_hold_the_weighted_means_of_their_pixels(step: int) -> None:
    colours, weights = noise(64, 48), random_coverage(64, 48)
    weights[:32] = 255
    weights[48:, :16] = 0
    share = weights / 255
    exact = np.dstack((colours * share[..., np.newaxis], share))
    exact = exact.reshape(64 // step, step, 48 // step, step, 4).mean(axis=(1, 3))
    planes = weigh(colours, weights, step, Window(0, 0, 64 // step, 48 // step))
    np.testing.assert_allclose(planes[3], exact[..., 3], atol=1e-6)
    np.testing.assert_allclose(planes[:3].transpose(1, 2, 0), exact[..., :3], atol=0.51)


def test_the_faintest_weight_still_keeps_its_colour() -> None:
    weights = np.zeros((8, 8), np.uint8)
    weights[0, 0] = weights[7, 7] = 32
    planes = weigh(flat(8, 8, (201, 3, 99)), weights, 8, Window(0, 0, 1, 1))
    np.testing.assert_allclose(planes[:3, 0, 0] / planes[3, 0, 0], (201, 3, 99), rtol=1e-5)

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.imaging.pictures import noise, random_coverage

from blur.imaging.compositing.composite import composite, multiply


def test_an_opaque_matte_keeps_the_foreground_exactly() -> None:
    front, back = noise(300, 270, 1), noise(300, 270, 2)
    matte = np.full((300, 270), 255, np.uint8)
    np.testing.assert_array_equal(composite(front, back, matte), front)


def test_an_empty_matte_shows_the_background_exactly() -> None:
    front, back = noise(300, 270, 1), noise(300, 270, 2)
    np.testing.assert_array_equal(composite(front, back, np.zeros((300, 270), np.uint8)), back)


def test_in_between_it_is_the_rounded_mean_of_the_two() -> None:
    front, back, matte = noise(300, 270, 1), noise(300, 270, 2), random_coverage(300, 270)
    share = matte[..., np.newaxis] / 255
    exact = share * front + (1 - share) * back
    assert np.abs(composite(front, back, matte) - exact).max() < 0.51


@pytest.mark.parametrize("other", [None, np.full((256, 1), 255, np.uint8)])
def test_full_coverage_changes_no_coverage(other: np.ndarray | None) -> None:
    every = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    np.testing.assert_array_equal(multiply(every, other), every)


def test_coverage_multiplies() -> None:
    one, other = random_coverage(50, 50, 1), random_coverage(50, 50, 2)
    exact = np.rint(one.astype(float) * other / 255).astype(np.uint8)
    np.testing.assert_array_equal(multiply(one, other), exact)

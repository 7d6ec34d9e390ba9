from __future__ import annotations

import numpy as np
import pytest
from tests.unit.imaging.pictures import difference, flat, noise, random_alpha

from blur.imaging.compositing.fill import fill, fill_transparent


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (33, 1), (31, 47)])
def test_if_only_one_pixel_has_a_weight_above_0_all_pixels_get_its_colour(
    shape: tuple[int, int],
) -> None:
    colours, weights = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
    colours[shape[0] // 2, shape[1] // 2] = (10, 20, 30)
    weights[shape[0] // 2, shape[1] // 2] = 1
    filled = fill(colours, weights)
    np.testing.assert_allclose(filled, np.broadcast_to((10, 20, 30), filled.shape), atol=0.01)


def test_pixels_with_full_weight_keep_their_colour() -> None:
    colours = np.random.default_rng(0).random((20, 30, 3), np.float32) * 255
    np.testing.assert_allclose(fill(colours, np.ones((20, 30), np.float32)), colours, atol=1e-3)


def test_a_pixel_in_a_gap_gets_a_colour_that_is_closer_to_the_colour_of_the_nearer_side() -> None:
    colours, weights = np.zeros((32, 64, 3), np.float32), np.zeros((32, 64), np.float32)
    weights[:, :8] = weights[:, -8:] = 1
    colours[:, -8:] = 200
    filled = fill(colours, weights)
    assert filled[:, 12].max() < 60
    assert filled[:, -13].min() > 140


def test_a_uniform_image_in_which_all_weights_are_0_does_not_change() -> None:
    colours = np.full((5, 7, 3), 90, np.float32)
    np.testing.assert_allclose(fill(colours, np.zeros((5, 7), np.float32)), colours, atol=1e-3)


@pytest.mark.parametrize("exponent", range(-9, 0))
def test_very_low_weights_do_not_darken_colours(exponent: int) -> None:
    exponents = np.random.default_rng(0).uniform(-9, exponent, (9, 7))
    weights = (10.0**exponents).astype(np.float32)
    colours = np.full((9, 7, 3), 90, np.float32)
    np.testing.assert_allclose(fill(colours, weights), colours, atol=1e-2)


def test_visible_pixels_do_not_change_and_the_colours_of_transparent_pixels_are_ignored() -> None:
    alpha = random_alpha(90, 70)
    alpha[:, 30:50] = 0
    one, other = noise(90, 70), noise(90, 70)
    other[alpha == 0] = (255, 0, 0)
    np.testing.assert_array_equal(fill_transparent(one, alpha), fill_transparent(other, alpha))
    np.testing.assert_array_equal(fill_transparent(one, alpha)[alpha > 0], one[alpha > 0])


def test_transparent_pixels_get_the_colour_of_the_visible_pixels() -> None:
    photo, alpha = flat(60, 60, (200, 100, 50)), np.zeros((60, 60), np.uint8)
    alpha[:, :20] = 255
    photo[:, 20:] = 0
    assert difference(fill_transparent(photo, alpha), flat(60, 60, (200, 100, 50))).max() <= 2


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (900, 2)])
def test_filling_a_fully_transparent_photo_keeps_its_size(size: tuple[int, int]) -> None:
    assert fill_transparent(noise(*size), np.zeros(size, np.uint8)).shape == (*size, 3)


def test_a_photo_without_transparent_pixels_is_unchanged() -> None:
    photo = noise(20, 30)
    assert fill_transparent(photo, np.full((20, 30), 1, np.uint8)) is photo

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.imaging.pictures import (
    astronaut,
    difference,
    disc,
    flat,
    gaussian_blur,
    noise,
    random_alpha,
    weighted_blur,
)

from blur.imaging.blurring.convolution import normalised_convolution
from blur.imaging.blurring.lens import gaussian

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8

RADII = [0.4, 1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50]
FULL = 255
BLACK = np.zeros((1, 1, 3), np.float32)


def opaque(image: RgbU8) -> AlphaU8:
    return np.full(image.shape[:2], FULL, np.uint8)


def exact_mean(colours: RgbU8, weights: AlphaU8, sigma_px: float) -> np.ndarray:
    """Compute the normalised convolution of Knutsson and Westin in double precision."""
    alpha = weights / FULL
    total = gaussian_blur(alpha, sigma_px)[..., np.newaxis]
    weighted = colours * alpha[..., np.newaxis]
    blurred = gaussian_blur(weighted, (sigma_px, sigma_px, 0))
    return np.asarray(blurred / np.maximum(total, 1e-9))


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    radius=st.floats(0.1, 50),
    colour=st.tuples(*[st.integers(0, 255)] * 3),
    seed=st.integers(0, 1000),
)
def test_a_uniform_image_stays_uniform_at_every_size_and_radius_with_random_weights(
    height: int, width: int, radius: float, colour: tuple[int, int, int], seed: int
) -> None:
    image, weights = (
        flat(height, width, colour),
        np.maximum(random_alpha(height, width, seed), 32),
    )
    blurred = weighted_blur(image, weights, radius)[0]
    if weights.min() > 0:
        np.testing.assert_array_equal(blurred, image)


@pytest.mark.parametrize("radius", RADII)
def test_the_blur_matches_an_exact_gaussian_up_to_the_border(radius: float) -> None:
    photo = astronaut(320, 352)
    blurred = weighted_blur(photo, opaque(photo), radius)[0]
    error = np.abs(blurred - exact_mean(photo, opaque(photo), radius))
    assert error.mean() < 0.5
    assert error.max() < 4


@pytest.mark.parametrize("radius", RADII)
def test_weighted_colours_match_the_exact_formula(radius: float) -> None:
    photo, weights = astronaut(320, 352), FULL - disc(320, 352, 80)
    blurred = weighted_blur(photo, weights, radius)[0]
    has_weight = gaussian_blur(weights / FULL, radius) > 0.3
    error = np.abs(blurred - exact_mean(photo, weights, radius))[has_weight]
    assert error.mean() < 0.6
    assert error.max() < 6


@pytest.mark.parametrize("radius", [1, 2, 3, 5, 8, 10, 20, 35, 50])
def test_a_sharp_edge_is_blurred_with_the_requested_standard_deviation(radius: float) -> None:
    step = np.hstack((flat(40, 320, (0, 0, 0)), flat(40, 320, (250, 250, 250))))
    blurred = weighted_blur(step, opaque(step), radius)[0]
    slope = np.diff(blurred[20, :, 0].astype(float))
    positions = np.arange(slope.size)
    centre = (slope * positions).sum() / slope.sum()
    spread = np.sqrt((slope * (positions - centre) ** 2).sum() / slope.sum())
    assert centre == pytest.approx(319, abs=0.5)  # 8-bit samples are rounded
    assert spread == pytest.approx(radius, rel=0.04, abs=0.05)


@pytest.mark.parametrize("radius", [2, 10, 50])
def test_the_border_of_a_bright_image_does_not_darken(radius: float) -> None:
    photo = np.maximum(noise(130, 97), 200)
    blurred = weighted_blur(photo, opaque(photo), radius)[0]
    assert blurred.min() >= 200


@pytest.mark.parametrize("radius", [1, 5, 50])
def test_colours_with_a_weight_of_0_have_no_influence(radius: float) -> None:
    weights, lens = FULL - disc(200, 200, 60), gaussian(radius)
    is_empty = weights[..., np.newaxis] == 0
    one, two = (
        normalised_convolution(
            np.where(is_empty, np.uint8(level), noise(200, 200)), weights, lens, BLACK
        )
        for level in (0, 255)
    )
    np.testing.assert_array_equal(one.colours, two.colours)


def test_areas_in_which_all_weights_are_0_get_the_fallback_colour() -> None:
    weights = FULL - disc(400, 400, 180)
    blurred, _ = weighted_blur(flat(400, 400, (0, 90, 0)), weights, 3)
    np.testing.assert_array_equal(blurred[150:250, 150:250], flat(100, 100, (128, 128, 128)))


def test_an_image_of_one_colour_keeps_its_colour_at_a_pixel_with_a_very_low_weight() -> None:
    weights = FULL - disc(300, 300, 120)
    weights[150, 150] = 1
    image = flat(300, 300, (180, 120, 60))
    blurred, _ = weighted_blur(image, weights, 3)
    assert difference(blurred, image)[148:153, 148:153].max() == 0


def test_the_returned_weights_are_close_to_the_exactly_blurred_weights() -> None:
    weights = disc(192, 208, 60)
    _, blurred = weighted_blur(noise(192, 208), weights, 10)
    exact = gaussian_blur(weights, 10)
    assert np.abs(blurred - exact).max() < 2


def test_a_large_image_that_is_blurred_in_strips_has_no_seams() -> None:
    ramp = np.linspace(0, 255, 700)[:, np.newaxis, np.newaxis]
    image = np.broadcast_to(ramp, (700, 1500, 3)).astype(np.uint8)
    blurred = weighted_blur(image, opaque(image), 2)[0]
    assert difference(blurred[10:-10], image[10:-10]).max() <= 1

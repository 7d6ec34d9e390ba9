from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from tests.unit.imaging.pictures import (
    astronaut,
    difference,
    disc,
    flat,
    noise,
    random_coverage,
    whole,
)

from blur.imaging.convolution import normalised_convolution
from blur.imaging.tiles import Window, tiles

if TYPE_CHECKING:
    from blur.imaging.arrays import Coverage, Pixels

RADII = [0.4, 1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50]
FULL = 255


def opaque(picture: Pixels) -> Coverage:
    return np.full(picture.shape[:2], FULL, np.uint8)


def exact_mean(colours: Pixels, weights: Coverage, sigma_px: float) -> np.ndarray:
    """Knutsson and Westin's formula in double precision at full size."""
    share = weights / FULL
    total = gaussian_filter(share, sigma_px, mode="nearest")[..., np.newaxis]
    weighted = colours * share[..., np.newaxis]
    blurred = gaussian_filter(weighted, (sigma_px, sigma_px, 0), mode="nearest")
    return np.asarray(blurred / np.maximum(total, 1e-9))


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    radius=st.floats(0.1, 50),
    colour=st.tuples(*[st.integers(0, 255)] * 3),
    seed=st.integers(0, 1000),
)
def test_a_flat_picture_stays_flat_at_every_size_radius_and_weight(
    height: int, width: int, radius: float, colour: tuple[int, int, int], seed: int
) -> None:
    picture, weights = flat(height, width, colour), random_coverage(height, width, seed)
    blurred = whole(normalised_convolution(picture, weights, radius), picture.shape)
    if weights.any():
        np.testing.assert_array_equal(blurred, picture)


@pytest.mark.parametrize("radius", RADII)
def test_a_photo_is_blurred_as_by_an_exact_gaussian_up_to_its_border(radius: float) -> None:
    photo = astronaut(301, 333)
    blurred = whole(normalised_convolution(photo, opaque(photo), radius), photo.shape)
    off = np.abs(blurred - exact_mean(photo, opaque(photo), radius))
    assert off.mean() < 0.5
    assert off.max() < 4


@pytest.mark.parametrize("radius", RADII)
def test_weights_count_as_in_the_exact_formula(radius: float) -> None:
    photo, weights = astronaut(301, 333), FULL - disc(301, 333, 80)
    blurred = whole(normalised_convolution(photo, weights, radius), photo.shape)
    known = gaussian_filter(weights / FULL, radius, mode="nearest") > 0.3
    off = np.abs(blurred - exact_mean(photo, weights, radius))[known]
    assert off.mean() < 0.6
    assert off.max() < 6


@pytest.mark.parametrize("radius", [1, 2, 3, 5, 8, 10, 20, 35, 50])
def test_a_step_is_blurred_with_the_standard_deviation_asked_for(radius: float) -> None:
    step = np.hstack((flat(40, 300, (0, 0, 0)), flat(40, 300, (250, 250, 250))))
    blurred = whole(normalised_convolution(step, opaque(step), radius), step.shape)
    slope = np.diff(blurred[20, :, 0].astype(float))
    places = np.arange(slope.size)
    centre = (slope * places).sum() / slope.sum()
    spread = np.sqrt((slope * (places - centre) ** 2).sum() / slope.sum())
    assert centre == pytest.approx(299, abs=0.3)
    assert spread == pytest.approx(radius, rel=0.04, abs=0.05)


@pytest.mark.parametrize("radius", [2, 10, 50])
def test_the_border_of_a_bright_picture_does_not_darken(radius: float) -> None:
    photo = np.maximum(noise(130, 97), 200)
    blurred = whole(normalised_convolution(photo, opaque(photo), radius), photo.shape)
    assert blurred.min() >= 200


@pytest.mark.parametrize("radius", [1, 5, 50])
def test_colours_without_weight_have_no_say(radius: float) -> None:
    weights = FULL - disc(200, 200, 60)
    red, green = flat(200, 200, (255, 0, 0)), flat(200, 200, (0, 255, 0))
    hidden = np.where(weights[..., np.newaxis] == 0, red, noise(200, 200))
    other = np.where(weights[..., np.newaxis] == 0, green, noise(200, 200))
    one = whole(normalised_convolution(hidden, weights, radius), hidden.shape)
    two = whole(normalised_convolution(other, weights, radius), hidden.shape)
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("radius", [1, 3, 10, 50])
def test_far_from_all_weight_the_colours_of_the_surroundings_go_on(radius: float) -> None:
    picture, weights = noise(400, 400) // 4 + 150, FULL - disc(400, 400, 180)
    blurred = whole(normalised_convolution(picture, weights, radius), picture.shape)
    middle = blurred[150:250, 150:250]
    assert middle.min() > 160
    assert middle.max() < 205


def test_a_faint_pixel_deep_inside_the_subject_gets_no_garbage() -> None:
    weights = FULL - disc(300, 300, 120)
    weights[150, 150] = 1
    picture = flat(300, 300, (180, 120, 60))
    blurred = whole(normalised_convolution(picture, weights, 4), picture.shape)
    assert difference(blurred, picture).max() == 0


def test_the_weight_under_the_kernel_is_the_blurred_weight() -> None:
    weights = disc(200, 220, 60)
    smooth = normalised_convolution(noise(200, 220), weights, 10)
    exact = gaussian_filter(weights.astype(float), 10, mode="nearest")
    assert np.abs(smooth.weights_in(Window(0, 0, 200, 220)) - exact).max() < 2


def test_windows_fit_together_without_seams() -> None:
    photo = astronaut(500, 300)
    smooth = normalised_convolution(photo, opaque(photo), 12)
    patchwork = np.zeros_like(photo)
    for window in tiles(500, 300):
        patchwork[window.of] = smooth.colours_in(window)
    assert difference(patchwork, whole(smooth, photo.shape)).max() <= 1


def test_a_large_picture_cut_into_strips_has_no_seams() -> None:
    ramp = np.linspace(0, 255, 700)[:, np.newaxis, np.newaxis]
    picture = np.broadcast_to(ramp, (700, 1500, 3)).astype(np.uint8)
    blurred = whole(normalised_convolution(picture, opaque(picture), 2), picture.shape)
    assert difference(blurred[10:-10], picture[10:-10]).max() <= 1

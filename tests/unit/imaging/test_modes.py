"""Each mode returns the right pixels; photos and results are arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.imaging.pictures import (
    astronaut,
    difference,
    disc,
    flat,
    noise,
    random_alpha,
)

from blur.imaging.blurring.defocus import defocus_background
from blur.imaging.blurring.lens import gaussian
from blur.imaging.compositing.composite import composite
from blur.imaging.compositing.scene import Scene
from blur.imaging.modes import blur_background, cut_out


@settings(deadline=None, max_examples=50)
@given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    radius=st.floats(0, 50),
    seed=st.integers(0, 1000),
)
def test_a_blur_of_any_size_and_radius_changes_neither_the_subject_nor_the_arguments(
    height: int, width: int, radius: float, seed: int
) -> None:
    photo, matte = noise(height, width, seed), random_alpha(height, width, seed + 1)
    matte[seed % height] = 255
    before = photo.copy(), matte.copy()
    result = blur_background(Scene.decompose(photo, matte), radius)
    assert result.shape == photo.shape
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result[matte == 255], photo[matte == 255])
    np.testing.assert_array_equal(photo, before[0])
    np.testing.assert_array_equal(matte, before[1])


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 80),
    width=st.integers(1, 80),
    radius=st.floats(0, 50),
    colour=st.tuples(*[st.integers(0, 255)] * 3),
    seed=st.integers(0, 1000),
)
def test_a_uniform_photo_stays_uniform_with_any_matte(
    height: int, width: int, radius: float, colour: tuple[int, int, int], seed: int
) -> None:
    photo = flat(height, width, colour)
    result = blur_background(Scene.decompose(photo, random_alpha(height, width, seed)), radius)
    np.testing.assert_array_equal(result, photo)


def test_pixels_with_matte_0_show_only_the_blurred_background() -> None:
    photo, matte = astronaut(300, 300), disc(300, 300, 80)
    background = defocus_background(Scene.decompose(photo, matte), gaussian(9))
    outside = matte == 0
    assert (
        difference(blur_background(Scene.decompose(photo, matte), 9), background)[outside].max()
        <= 1
    )


@pytest.mark.parametrize("size", [(301, 333), (300, 451), (97, 64)])
@pytest.mark.parametrize("radius", [3, 20, 50])
def test_a_photo_of_any_size_with_an_almost_opaque_matte_changes_little(
    size: tuple[int, int], radius: float
) -> None:
    photo, matte = astronaut(*size), np.full(size, 250, np.uint8)
    result = blur_background(Scene.decompose(photo, matte), radius)
    assert difference(result, photo).mean() < 4


def test_radius_0_returns_a_copy_of_the_photo() -> None:
    photo = noise(40, 50)
    result = blur_background(Scene.decompose(photo, random_alpha(40, 50)), 0)
    np.testing.assert_array_equal(result, photo)
    assert not np.shares_memory(result, photo)


@pytest.mark.parametrize("matte_level", [0, 255])
def test_with_a_uniform_matte_the_photo_changes_only_if_the_matte_is_0(matte_level: int) -> None:
    photo, matte = astronaut(100, 100), np.full((100, 100), matte_level, np.uint8)
    result = blur_background(Scene.decompose(photo, matte), 8)
    assert bool((result == photo).all()) is (matte_level == 255)


def test_the_border_of_a_bright_photo_does_not_darken() -> None:
    photo = np.maximum(noise(200, 180), 200)
    result = blur_background(Scene.decompose(photo, disc(200, 180, 50)), 20)
    assert min(result[:3].min(), result[-3:].min(), result[:, :3].min()) >= 200


def test_colours_of_transparent_pixels_do_not_influence_the_result() -> None:
    matte, alpha = disc(120, 120, 30), np.full((120, 120), 255, np.uint8)
    alpha[:, 90:] = 0
    one, other = noise(120, 120), noise(120, 120)
    one[:, 90:], other[:, 90:] = (255, 0, 0), (0, 255, 0)
    visible = alpha == 255
    results = [
        blur_background(Scene.decompose(photo, matte, alpha), 12)[visible] for photo in (one, other)
    ]
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("radius", [-1, float("nan")])
def test_a_negative_or_nan_radius_is_rejected(radius: float) -> None:
    for function in (blur_background, cut_out):
        with pytest.raises(ValueError, match="radius_px"):
            function(Scene.decompose(noise(4, 5), random_alpha(4, 5)), radius)


@pytest.mark.parametrize("ground", [(255, 255, 255), (0, 0, 0), (255, 0, 255)])
@pytest.mark.parametrize("radius", [0, 4, 25])
def test_a_cutout_has_no_fringe_of_the_old_background(
    ground: tuple[int, int, int], radius: float
) -> None:
    matte = disc(300, 300, 90, softness=6)
    subject, backdrop = flat(300, 300, (210, 190, 170)), flat(300, 300, ground)
    photo = composite(subject, flat(300, 300, (10, 20, 30)), matte)
    colours, alpha = cut_out(Scene.decompose(photo, matte), radius)
    result, expected = composite(colours, backdrop, alpha), composite(subject, backdrop, alpha)
    assert difference(result, expected).max() < 16
    assert difference(result, expected)[alpha > 0].mean() < 1


def test_the_alpha_of_a_cutout_is_the_matte_times_the_alpha_of_the_photo() -> None:
    alpha = np.full((50, 50), 255, np.uint8)
    alpha[:, 25:] = 0
    _, result = cut_out(Scene.decompose(noise(50, 50), disc(50, 50, 15), alpha), 0)
    np.testing.assert_array_equal(result[:, :25], disc(50, 50, 15)[:, :25])
    assert (result[:, 25:] == 0).all()

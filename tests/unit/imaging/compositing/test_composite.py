from __future__ import annotations

import numpy as np
import pytest
from tests.unit.imaging.pictures import difference, disc, flat, noise, random_alpha

from blur.imaging.compositing.composite import composite, cutout_colours, multiply
from blur.imaging.compositing.scene import Scene


def test_an_opaque_matte_keeps_the_foreground_exactly() -> None:
    foreground, background = noise(300, 270, 1), noise(300, 270, 2)
    matte = np.full((300, 270), 255, np.uint8)
    np.testing.assert_array_equal(composite(foreground, background, matte), foreground)


def test_a_transparent_matte_keeps_the_background_exactly() -> None:
    foreground, background = noise(300, 270, 1), noise(300, 270, 2)
    np.testing.assert_array_equal(
        composite(foreground, background, np.zeros((300, 270), np.uint8)), background
    )


def test_partial_alpha_gives_the_rounded_weighted_mean() -> None:
    foreground, background, matte = noise(300, 270, 1), noise(300, 270, 2), random_alpha(300, 270)
    alpha = matte[..., np.newaxis] / 255
    exact = alpha * foreground + (1 - alpha) * background
    assert np.abs(composite(foreground, background, matte) - exact).max() < 0.51


@pytest.mark.parametrize("other", [None, np.full((256, 1), 255, np.uint8)])
def test_multiplying_by_opaque_changes_no_alpha(other: np.ndarray | None) -> None:
    levels = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    np.testing.assert_array_equal(multiply(levels, other), levels)


def test_multiplying_alphas_rounds_to_the_nearest_level() -> None:
    first, second = random_alpha(50, 50, 1), random_alpha(50, 50, 2)
    exact = np.rint(first.astype(float) * second / 255).astype(np.uint8)
    np.testing.assert_array_equal(multiply(first, second), exact)


@pytest.mark.parametrize("background", [(0, 0, 0), (255, 255, 255), (255, 0, 255)])
def test_the_soft_edge_of_a_cutout_has_no_old_background(background: tuple[int, int, int]) -> None:
    matte, foreground = disc(200, 200, 60, softness=12), flat(200, 200, (180, 120, 90))
    scene = Scene.decompose(composite(foreground, flat(200, 200, background), matte), matte)
    colours = cutout_colours(scene.photo, matte, scene.layers)
    for backdrop in (flat(200, 200, (0, 0, 0)), flat(200, 200, (255, 255, 255))):
        result, expected = (
            composite(colours, backdrop, matte),
            composite(foreground, backdrop, matte),
        )
        assert difference(result, expected).max() <= 12
        assert difference(result, expected)[(matte > 0) & (matte < 255)].mean() < 2


def test_opaque_pixels_of_a_cutout_are_those_of_the_photo() -> None:
    scene = Scene.decompose(noise(80, 90), disc(80, 90, 30))
    colours = cutout_colours(scene.photo, scene.matte, scene.layers)
    opaque = scene.matte == 255
    np.testing.assert_array_equal(colours[opaque], scene.photo[opaque])


def test_the_subjects_colours_continue_around_it() -> None:
    matte, foreground = disc(200, 200, 60, softness=1), flat(200, 200, (180, 120, 90))
    scene = Scene.decompose(composite(foreground, flat(200, 200, (0, 0, 0)), matte), matte)
    colours = cutout_colours(scene.photo, matte, scene.layers)
    assert difference(colours, foreground)[matte == 0].max() <= 12

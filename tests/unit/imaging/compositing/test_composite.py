from __future__ import annotations

import numpy as np
import pytest
from tests.unit.imaging.pictures import difference, disc, flat, noise, random_coverage

from blur.imaging.compositing.composite import composite, cutout_colours, multiply
from blur.imaging.compositing.scene import Scene


def test_an_opaque_matte_keeps_the_foreground_exactly() -> None:
    front, back = noise(300, 270, 1), noise(300, 270, 2)
    matte = np.full((300, 270), 255, np.uint8)
    np.testing.assert_array_equal(composite(front, back, matte), front)


def test_a_transparent_matte_keeps_the_background_exactly() -> None:
    front, back = noise(300, 270, 1), noise(300, 270, 2)
    np.testing.assert_array_equal(composite(front, back, np.zeros((300, 270), np.uint8)), back)


def test_partial_alpha_gives_the_rounded_weighted_mean() -> None:
    front, back, matte = noise(300, 270, 1), noise(300, 270, 2), random_coverage(300, 270)
    share = matte[..., np.newaxis] / 255
    exact = share * front + (1 - share) * back
    assert np.abs(composite(front, back, matte) - exact).max() < 0.51


@pytest.mark.parametrize("other", [None, np.full((256, 1), 255, np.uint8)])
def test_multiplying_by_opaque_changes_no_alpha(other: np.ndarray | None) -> None:
    every = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    np.testing.assert_array_equal(multiply(every, other), every)


def test_multiplying_alphas_rounds_to_the_nearest_level() -> None:
    one, other = random_coverage(50, 50, 1), random_coverage(50, 50, 2)
    exact = np.rint(one.astype(float) * other / 255).astype(np.uint8)
    np.testing.assert_array_equal(multiply(one, other), exact)


@pytest.mark.parametrize("back", [(0, 0, 0), (255, 255, 255), (255, 0, 255)])
def test_the_soft_edge_of_a_cutout_has_no_old_background(back: tuple[int, int, int]) -> None:
    matte, front = disc(200, 200, 60, softness=12), flat(200, 200, (180, 120, 90))
    scene = Scene.decompose(composite(front, flat(200, 200, back), matte), matte)
    colours = cutout_colours(scene.photo, matte, scene.layers)
    for ground in (flat(200, 200, (0, 0, 0)), flat(200, 200, (255, 255, 255))):
        shown, ideal = composite(colours, ground, matte), composite(front, ground, matte)
        assert difference(shown, ideal).max() <= 12
        assert difference(shown, ideal)[(matte > 0) & (matte < 255)].mean() < 2


def test_opaque_pixels_of_a_cutout_are_those_of_the_photo() -> None:
    scene = Scene.decompose(noise(80, 90), disc(80, 90, 30))
    colours = cutout_colours(scene.photo, scene.matte, scene.layers)
    opaque = scene.matte == 255
    np.testing.assert_array_equal(colours[opaque], scene.photo[opaque])


def test_the_subjects_colours_continue_around_it() -> None:
    matte, front = disc(200, 200, 60, softness=1), flat(200, 200, (180, 120, 90))
    scene = Scene.decompose(composite(front, flat(200, 200, (0, 0, 0)), matte), matte)
    colours = cutout_colours(scene.photo, matte, scene.layers)
    assert difference(colours, front)[matte == 0].max() <= 12

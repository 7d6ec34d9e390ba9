from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from tests.unit.imaging.pictures import difference, disc, flat, noise, random_alpha

from blur.imaging.arrays import to_u8
from blur.imaging.compositing.colour_extension import FINE_PX, REACH_PX
from blur.imaging.compositing.composite import composite, cutout_colours, multiply
from blur.imaging.compositing.foreground import Layer, decontaminate
from blur.imaging.compositing.scene import Scene
from blur.imaging.modes import cut_out
from blur.imaging.resample import upscale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaU8


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
def test_multiplying_an_alpha_by_an_opaque_or_missing_alpha_changes_nothing(
    other: np.ndarray | None,
) -> None:
    levels = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    np.testing.assert_array_equal(multiply(levels, other), levels)


def test_the_product_of_two_alphas_is_rounded_to_the_nearest_integer() -> None:
    first, second = random_alpha(50, 50, 1), random_alpha(50, 50, 2)
    exact = np.rint(first.astype(float) * second / 255).astype(np.uint8)
    np.testing.assert_array_equal(multiply(first, second), exact)


@pytest.mark.parametrize("background", [(0, 0, 0), (255, 255, 255), (255, 0, 255)])
def test_the_soft_edge_of_a_cutout_has_no_colour_of_the_old_background(
    background: tuple[int, int, int],
) -> None:
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


def test_opaque_pixels_of_a_cutout_equal_the_photo() -> None:
    scene = Scene.decompose(noise(80, 90), disc(80, 90, 30))
    colours = cutout_colours(scene.photo, scene.matte, scene.layers)
    opaque = scene.matte == 255
    np.testing.assert_array_equal(colours[opaque], scene.photo[opaque])


def test_transparent_pixels_around_the_subject_get_the_colours_of_the_subject() -> None:
    matte, foreground = disc(200, 200, 60, softness=1), flat(200, 200, (180, 120, 90))
    scene = Scene.decompose(composite(foreground, flat(200, 200, (0, 0, 0)), matte), matte)
    colours = cutout_colours(scene.photo, matte, scene.layers)
    assert difference(colours, foreground)[matte == 0].max() <= 12


SHAPES = [(400, 301), (97, 700), (33, 31), (1, 200), (1500, 1100)]


@pytest.mark.parametrize("shape", SHAPES)
def test_colours_that_compress_better_change_faint_pixels_by_less_than_one_level(
    shape: tuple[int, int],
) -> None:
    """Faint pixels get the colour of their block, without a visible difference."""
    matte = disc(*shape, min(shape) / 5 + 1, softness=20)
    scene = Scene.decompose(noise(*shape), matte)
    colours = cutout_colours(scene.photo, matte, scene.layers)
    subject = decontaminate(scene.photo, matte, scene.layers, Layer.FOREGROUND)
    change = difference(colours, subject) * (matte[..., np.newaxis] / 255)
    assert change.max() < 0.5 + 0.5 * 128 / 255
    strong = matte >= 128
    assert difference(colours, subject)[strong].max() <= 1


@pytest.mark.parametrize("shape", SHAPES)
def test_transparent_pixels_close_to_the_subject_have_foreground_colours_of_nearby_pixels(
    shape: tuple[int, int],
) -> None:
    """A nearby pixel is at most `FINE_PX` away, or `REACH_PX` in blocks without a visible pixel."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    photo = to_u8(np.dstack((y * 255 / shape[0], x * 255 / shape[1], (x + y) % 200)))
    matte = disc(*shape, min(shape) / 5 + 1)
    scene = Scene.decompose(photo, matte)
    colours = cutout_colours(scene.photo, matte, scene.layers)
    layer = to_u8(upscale(scene.layers.foreground, shape))
    for place, nearby_px in ((in_visible_blocks(matte), FINE_PX), (within_reach(matte), REACH_PX)):
        window = np.ones((2 * nearby_px + 1, 2 * nearby_px + 1), np.uint8)
        lowest, highest = cv2.erode(layer, window), cv2.dilate(layer, window)
        is_between = (colours >= lowest) & (colours <= highest)
        assert is_between[(matte == 0) & place].all()


@pytest.mark.parametrize("radius", [0, 5])
def test_far_from_the_subject_all_pixels_of_a_cutout_have_the_same_colour(radius: float) -> None:
    scene = Scene.decompose(noise(700, 900), disc(700, 900, 90))
    colours, alpha = cut_out(scene, radius)
    far = ~within_reach(alpha, 2 * REACH_PX)
    assert far.mean() > 0.5
    assert (colours[far] == colours[far][0]).all()
    mean = scene.layers.foreground.mean(axis=(0, 1))
    assert np.abs(colours[far][0] - mean).max() <= 0.5


def test_a_cutout_without_a_subject_has_only_one_colour() -> None:
    scene = Scene.decompose(noise(300, 200), np.zeros((300, 200), np.uint8))
    colours = cutout_colours(scene.photo, scene.matte, scene.layers)
    assert (colours == colours[0, 0]).all()


@pytest.mark.parametrize("backdrop", [(0, 0, 0), (255, 255, 255), (255, 0, 255)])
@pytest.mark.parametrize("factor", [0.5, 1 / 3, 1 / 16, 1.7])
def test_a_resized_cutout_has_no_fringe(backdrop: tuple[int, int, int], factor: float) -> None:
    """Viewers that resize colour and alpha separately show no colour of the old background."""
    shape = 640, 960
    matte, foreground = disc(*shape, 200, softness=4), flat(*shape, (180, 120, 90))
    scene = Scene.decompose(composite(foreground, flat(*shape, (10, 200, 30)), matte), matte)
    colours = cutout_colours(scene.photo, matte, scene.layers)
    small, alpha, expected = (
        cv2.resize(part, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        for part in (colours, matte, foreground)
    )
    back = np.full_like(small, backdrop)
    errors = difference(composite(small, back, alpha), composite(expected, back, alpha))
    assert errors.max() <= 12
    assert errors[(alpha > 0) & (alpha < 255)].mean() < 2


def within_reach(alpha: AlphaU8, reach_px: int = REACH_PX) -> NDArray[np.bool_]:
    """Return a mask of the pixels that are at most `reach_px` from a visible pixel on each axis."""
    side = 2 * reach_px + 1
    near = cv2.dilate((alpha > 0).astype(np.uint8), np.ones((side, side), np.uint8))
    return np.asarray(near, np.bool_)


def in_visible_blocks(alpha: AlphaU8) -> NDArray[np.bool_]:
    """Return a mask of the pixels in all fine blocks that contain a visible pixel."""
    rows, columns = (np.arange(size) // FINE_PX for size in alpha.shape)
    blocks = np.zeros((rows[-1] + 1, columns[-1] + 1), np.bool_)
    y, x = np.nonzero(alpha)
    blocks[y // FINE_PX, x // FINE_PX] = True
    return blocks[rows][:, columns]

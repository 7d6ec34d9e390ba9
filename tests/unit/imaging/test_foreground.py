from __future__ import annotations

import numpy as np
import pytest
from tests.unit.imaging.pictures import astronaut, difference, disc, flat, noise

from blur.imaging.composite import over
from blur.imaging.foreground import fuse, separate


def test_where_the_matte_is_sure_both_layers_are_the_photo() -> None:
    photo, matte = noise(120, 90), disc(120, 90, 30)
    layers = separate(photo, matte)
    sure = (matte == 0) | (matte == 255)
    np.testing.assert_array_equal(layers.foreground[sure], photo[sure])
    np.testing.assert_array_equal(layers.background[sure], photo[sure])


def test_the_colours_of_two_flat_layers_are_found_again() -> None:
    matte = disc(200, 200, 60, softness=20)
    front, back = flat(200, 200, (220, 40, 30)), flat(200, 200, (20, 90, 200))
    layers = separate(over(front, back, matte), matte)
    band = (matte > 0) & (matte < 255)
    assert difference(layers.foreground, front)[band].mean() < 8
    assert difference(layers.background, back)[band].mean() < 8


def test_the_layers_found_make_up_the_photo() -> None:
    photo, matte = astronaut(), disc(512, 512, 150, softness=12)
    layers = separate(photo, matte)
    assert difference(over(*layers, matte), photo).mean() < 1


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (2, 3)])
def test_it_works_on_the_smallest_pictures(size: tuple[int, int]) -> None:
    layers = separate(noise(*size), np.full(size, 128, np.uint8))
    assert layers.foreground.shape == layers.background.shape == (*size, 3)


def test_hidden_pixels_say_nothing_about_either_layer() -> None:
    matte, alpha = disc(100, 100, 30, softness=20), np.full((100, 100), 255, np.uint8)
    alpha[:, 60:] = 0
    one, other = noise(100, 100), noise(100, 100)
    one[:, 60:], other[:, 60:] = (255, 0, 0), (0, 255, 0)
    seen = alpha == 255
    for mine, theirs in zip(
        separate(one, matte, alpha), separate(other, matte, alpha), strict=True
    ):
        np.testing.assert_array_equal(mine[seen], theirs[seen])


def test_means_that_explain_the_photo_are_kept() -> None:
    share = np.array([[0.25], [0.5], [0.75]], np.float32)
    near, far = flat(3, 1, (200, 100, 0))[:, 0], flat(3, 1, (0, 100, 40))[:, 0]
    photo = (share * near + (1 - share) * far).astype(np.uint8)
    layers = fuse(photo, share, near, far)
    np.testing.assert_array_equal(layers.foreground, near)
    np.testing.assert_array_equal(layers.background, far)


def test_the_arguments_are_not_modified() -> None:
    photo, matte = noise(60, 60), disc(60, 60, 20)
    before = photo.copy(), matte.copy()
    separate(photo, matte)
    np.testing.assert_array_equal(photo, before[0])
    np.testing.assert_array_equal(matte, before[1])

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.imaging.pictures import astronaut, difference, disc, flat, noise, random_alpha

from blur.imaging.arrays import to_u8
from blur.imaging.compositing.composite import composite
from blur.imaging.compositing.foreground import (
    GRID_SIDE_PX,
    Layer,
    LayerColours,
    blur_fusion,
    decontaminate,
    estimate_layers,
    unmix,
)


def test_a_uniform_foreground_and_a_uniform_background_are_recovered_from_their_composite() -> None:
    matte = disc(200, 200, 60, softness=20)
    foreground, background = flat(200, 200, (220, 40, 30)), flat(200, 200, (20, 90, 200))
    photo = composite(foreground, background, matte)
    layers = estimate_layers(photo, matte)
    band = (matte > 0) & (matte < 255)
    for layer, expected in ((Layer.FOREGROUND, foreground), (Layer.BACKGROUND, background)):
        assert difference(decontaminate(photo, matte, layers, layer), expected)[band].mean() < 4


def test_the_composite_of_the_estimated_layers_is_close_to_the_photo() -> None:
    photo, matte = astronaut(), disc(512, 512, 150, softness=12)
    layers = estimate_layers(photo, matte)
    foreground, background = (decontaminate(photo, matte, layers, layer) for layer in Layer)
    assert difference(composite(foreground, background, matte), photo).mean() < 1


def test_pixels_with_a_matte_of_0_or_255_do_not_change() -> None:
    photo, matte = noise(120, 90), disc(120, 90, 30)
    certain = (matte == 0) | (matte == 255)
    for layer in Layer:
        result = decontaminate(photo, matte, estimate_layers(photo, matte), layer)
        np.testing.assert_array_equal(result[certain], photo[certain])


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (2, 3), (1, 20_000), (1500, 700)])
def test_the_sides_of_the_grid_are_limited_and_keep_the_aspect_ratio_of_the_photo(
    size: tuple[int, int],
) -> None:
    layers = estimate_layers(noise(*size), np.full(size, 128, np.uint8))
    height, width, _ = layers.foreground.shape
    assert layers.background.shape == layers.foreground.shape
    assert max(height, width) == min(GRID_SIDE_PX, max(size))
    assert height == max(1, round(size[0] * min(1, GRID_SIDE_PX / max(size))))


def test_transparent_pixels_do_not_influence_the_layers() -> None:
    matte, alpha = disc(100, 100, 30, softness=20), np.full((100, 100), 255, np.uint8)
    alpha[:, 60:] = 0
    one, other = noise(100, 100), noise(100, 100)
    one[:, 60:], other[:, 60:] = (255, 0, 0), (0, 255, 0)
    visible = alpha == 255
    for layer, other_layer in zip(
        estimate_layers(one, matte, alpha), estimate_layers(other, matte, alpha), strict=True
    ):
        np.testing.assert_allclose(layer[visible], other_layer[visible], atol=0.01)


def test_estimated_layers_whose_composite_is_the_photo_are_not_changed() -> None:
    alpha = np.repeat(np.array([[0.25], [0.5], [0.75]], np.float32), 3, axis=1)
    foreground, background = np.full((3, 3), 200, np.float32), np.full((3, 3), 40, np.float32)
    layers = blur_fusion(
        alpha * foreground + (1 - alpha) * background, alpha, LayerColours(foreground, background)
    )
    np.testing.assert_allclose(layers.foreground, foreground, atol=1e-3)
    np.testing.assert_allclose(layers.background, background, atol=1e-3)


def test_an_error_of_the_estimate_is_corrected_mostly_in_the_layer_with_the_larger_weight() -> None:
    alpha = np.full((1, 3), 0.9, np.float32)
    estimate = LayerColours(np.full((1, 3), 100, np.float32), np.full((1, 3), 100, np.float32))
    layers = blur_fusion(np.full((1, 3), 120, np.float32), alpha, estimate)
    assert layers.foreground.min() > 120
    assert 100 < layers.background.max() < 104


def test_only_pixels_with_partial_alpha_in_the_given_rows_are_unmixed() -> None:
    photo, matte = noise(40, 30), random_alpha(40, 30) // 128 * 255
    matte[10, 5] = matte[30, 7] = 100
    mixed = unmix(photo, matte, estimate_layers(photo, matte), slice(5, 20))
    assert mixed.pixels.indices.tolist() == [10 * 30 + 5]
    assert to_u8(mixed.alpha * 255).tolist() == [[100, 100, 100]]


def test_decontaminate_does_not_change_its_arguments() -> None:
    photo, matte = noise(60, 60), disc(60, 60, 20)
    before = photo.copy(), matte.copy()
    decontaminate(photo, matte, estimate_layers(photo, matte), Layer.FOREGROUND)
    np.testing.assert_array_equal(photo, before[0])
    np.testing.assert_array_equal(matte, before[1])

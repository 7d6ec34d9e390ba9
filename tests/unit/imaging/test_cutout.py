from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from tests.unit.imaging.pictures import astronaut, disc, flat, noise

from blur.imaging.composite import over
from blur.imaging.cutout import blur_layer

GROUNDS = {"white": (255, 255, 255), "black": (0, 0, 0), "magenta": (255, 0, 255)}


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("radius", [1, 6, 30])
def test_over_any_ground_it_is_what_blurring_the_composed_layer_gives(
    ground: str, radius: float
) -> None:
    colours, alpha = astronaut(300, 280), disc(300, 280, 80)
    share = alpha[..., np.newaxis] / 255
    backdrop = flat(300, 280, GROUNDS[ground])
    sharp = share * colours + (1 - share) * backdrop
    exact = gaussian_filter(sharp, (radius, radius, 0), mode="nearest")
    shown = over(*reversed_onto(blur_layer(colours, alpha, radius), backdrop))
    off = np.abs(shown - exact)
    assert off.mean() < 1
    assert off.max() < 5


def reversed_onto(
    layer: tuple[np.ndarray, np.ndarray], backdrop: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return layer[0], backdrop, layer[1]


@pytest.mark.parametrize("radius", [1, 6, 30])
def test_a_bright_subject_has_no_dark_fringe(radius: float) -> None:
    alpha = disc(200, 200, 60)
    colours = np.where(alpha[..., np.newaxis] == 0, 0, flat(200, 200, (250, 240, 230)))
    blurred, _ = blur_layer(colours.astype(np.uint8), alpha, radius)
    np.testing.assert_array_equal(blurred, flat(200, 200, (250, 240, 230)))


def test_radius_0_returns_the_layer_as_it_is() -> None:
    colours, alpha = noise(30, 30), disc(30, 30, 9)
    blurred = blur_layer(colours, alpha, 0)
    np.testing.assert_array_equal(blurred[0], colours)
    np.testing.assert_array_equal(blurred[1], alpha)


def test_a_subject_cut_by_the_border_does_not_fade_there() -> None:
    alpha = np.zeros((120, 120), np.uint8)
    alpha[60:] = 255
    _, blurred = blur_layer(noise(120, 120), alpha, 5)
    assert blurred[-1].min() == 255
    assert np.abs(blurred[60].astype(int) - blurred[60, 60]).max() <= 1

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tests.unit.imaging.pictures import astronaut, difference, disc, flat, gaussian_blur, noise

from blur.imaging.blurring.defocus import defocus_background, defocus_subject
from blur.imaging.blurring.lens import KERNELS, gaussian
from blur.imaging.compositing.composite import composite
from blur.imaging.compositing.scene import Scene

BACKDROPS = {"white": (255, 255, 255), "black": (0, 0, 0), "magenta": (255, 0, 255)}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("radius", [2, 10, 50])
def test_the_subject_does_not_spread_into_the_background(radius: float, kernel: str) -> None:
    hard = np.where(disc(200, 200, 50, softness=1) > 127, 255, 0).astype(np.uint8)
    back = flat(200, 200, (30, 60, 90))
    photo = composite(flat(200, 200, (255, 0, 0)), back, hard)
    blurred = defocus_background(Scene.decompose(photo, hard), KERNELS[kernel](radius))
    assert difference(blurred, back)[hard == 0].max() <= 1


def test_a_larger_radius_leaves_less_detail() -> None:
    scene = Scene.decompose(noise(200, 200), disc(200, 200, 40))
    blurred = (defocus_background(scene, gaussian(radius)) for radius in (1, 3, 9, 27))
    detail = [np.abs(np.diff(result.astype(float), axis=0)).mean() for result in blurred]
    assert all(finer > 2 * coarser for finer, coarser in pairwise(detail))


def test_colours_of_transparent_pixels_do_not_become_visible() -> None:
    photo, matte = flat(100, 100, (90, 90, 90)), np.zeros((100, 100), np.uint8)
    alpha = np.full((100, 100), 255, np.uint8)
    photo[:, 70:], alpha[:, 70:] = (0, 255, 0), 0
    blurred = defocus_background(Scene.decompose(photo, matte, alpha), gaussian(8))
    assert difference(blurred, flat(100, 100, (90, 90, 90))).max() == 0


@pytest.mark.parametrize("backdrop_name", BACKDROPS)
@pytest.mark.parametrize("radius", [1, 6, 30])
def test_the_composite_of_a_blurred_subject_is_close_to_the_blurred_composite(
    backdrop_name: str, radius: float
) -> None:
    colours, alpha = astronaut(300, 280), disc(300, 280, 80, softness=1)
    hard = np.where(alpha > 127, 255, 0).astype(np.uint8)
    weight = hard[..., np.newaxis] / 255
    backdrop = flat(300, 280, BACKDROPS[backdrop_name])
    sharp = weight * colours + (1 - weight) * backdrop
    exact = gaussian_blur(sharp, (radius, radius, 0))
    blurred, blurred_alpha = defocus_subject(Scene.decompose(colours, hard), gaussian(radius))
    error = np.abs(composite(blurred, backdrop, blurred_alpha) - exact)
    assert error.mean() < 1
    assert error.max() < 8


@pytest.mark.parametrize("radius", [1, 6, 30])
def test_a_bright_subject_has_no_dark_fringe(radius: float) -> None:
    matte, bright = disc(200, 200, 60), flat(200, 200, (250, 240, 230))
    scene = Scene.decompose(composite(bright, flat(200, 200, (0, 0, 0)), matte), matte)
    colours, alpha = defocus_subject(scene, gaussian(radius))
    dark = np.zeros_like(bright)
    assert difference(composite(colours, dark, alpha), composite(bright, dark, alpha)).max() <= 12
    assert difference(colours, bright)[alpha > 128].max() <= 12


def test_a_subject_does_not_fade_where_it_touches_the_border() -> None:
    matte = np.zeros((120, 120), np.uint8)
    matte[60:] = 255
    _, blurred = defocus_subject(Scene.decompose(noise(120, 120), matte), gaussian(5))
    assert blurred[-1].min() == 255
    assert np.abs(blurred[60].astype(int) - blurred[60, 60]).max() <= 1

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.unit.imaging.pictures import (
    astronaut,
    difference,
    disc,
    flat,
    gaussian_blur,
    noise,
    random_alpha,
)

from blur.imaging.blurring.defocus import defocus_background
from blur.imaging.blurring.lens import KERNELS
from blur.imaging.blurring.varying_radius import defocus_background_by_row
from blur.imaging.compositing.composite import composite
from blur.imaging.compositing.scene import Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaF32, AlphaU8, RgbU8

RADII = (1, 2, 3, 10, 50)


def valley(height: int, low: float = 0.6) -> AlphaF32:
    """Return the fraction of the radius for each row.

    From the top of the photo, it falls to 0, stays 0 for some rows, and grows again.
    """
    row = (np.arange(height, dtype=np.float32) + 0.5) / height
    shares = np.maximum((low - row) / low * 1.25, (row - low - 0.1) / low * 1.25)
    return np.clip(shares, 0, 1)


def nothing(height: int, width: int) -> AlphaU8:
    return np.zeros((height, width), np.uint8)


def exact(photo: RgbU8, row: int, sigma: float) -> NDArray[np.float64]:
    """Return one row of the photo, blurred with an exact Gaussian."""
    if sigma < 0.05:
        sharp: NDArray[np.float64] = photo[row].astype(float)
        return sharp
    impulse = np.zeros(len(photo))
    impulse[row] = 1
    # The filter is symmetric: a blurred impulse in this row shows each row's share of the result.
    across = np.tensordot(gaussian_blur(impulse, sigma), photo, axes=1)
    return gaussian_blur(across, (sigma, 0))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("radius", RADII)
def test_blur_by_row_with_the_full_radius_is_the_uniform_blur(radius: float, kernel: str) -> None:
    scene = Scene.decompose(astronaut(250, 230), disc(250, 230, 60))
    uniform = defocus_background(scene, KERNELS[kernel](radius))
    varying = defocus_background_by_row(scene, radius, kernel, np.ones(250, np.float32))
    assert difference(varying, uniform).max() <= 1


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("radius", RADII)
def test_a_radius_of_zero_in_each_row_leaves_the_background_sharp(
    radius: float, kernel: str
) -> None:
    photo, matte = astronaut(250, 230), disc(250, 230, 60)
    still = np.zeros(250, np.float32)
    result = defocus_background_by_row(Scene.decompose(photo, matte), radius, kernel, still)
    np.testing.assert_array_equal(result[matte == 0], photo[matte == 0])


@pytest.mark.parametrize("radius", [5, 12, 40])
def test_each_row_of_pixels_is_blurred_with_its_fraction_of_the_radius(radius: float) -> None:
    photo, shares = astronaut(512, 200), valley(512)
    scene = Scene.decompose(photo, nothing(512, 200))
    result = defocus_background_by_row(scene, radius, "gaussian", shares)
    rows = range(0, 512, 16)
    ideal = np.array([exact(photo, row, radius * float(shares[row])) for row in rows])
    uniform = np.array([exact(photo, row, radius) for row in rows])
    off = np.abs(result[::16] - ideal).mean()
    assert off < 0.2 * np.abs(uniform - ideal).mean()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("radius", RADII)
def test_a_smooth_gradient_shows_no_bands(radius: float, kernel: str) -> None:
    height, width = 600, 300
    levels = np.linspace(30, 220, height)[:, np.newaxis] + np.linspace(0, 20, width)
    photo = np.repeat(np.rint(levels)[..., np.newaxis], 3, axis=2).astype(np.uint8)
    scene = Scene.decompose(photo, nothing(height, width))
    result = defocus_background_by_row(scene, radius, kernel, valley(height)).astype(int)
    assert np.abs(np.diff(result, axis=0)).max() <= 1
    uniform = defocus_background(scene, KERNELS[kernel](radius)).astype(int)
    assert (result >= np.minimum(photo, uniform) - 2).all()
    assert (result <= np.maximum(photo, uniform) + 2).all()


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_blur_grows_steadily_from_row_to_row(kernel: str) -> None:
    """The detail in noise decreases smoothly, without a seam between two strengths of the blur."""
    height = 1600
    shares = np.linspace(0, 1, height, dtype=np.float32)
    scene = Scene.decompose(noise(height, 600), nothing(height, 600))
    result = defocus_background_by_row(scene, 20, kernel, shares).astype(float)
    detail = np.log(result.std(axis=1).mean(axis=1))
    steps = np.diff(gaussian_blur(detail, 8)[20:-20])
    assert steps.max() < 0.012
    assert detail[20] - detail[-20] > np.log(20)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("radius", [2, 10, 50])
def test_the_subject_does_not_spread_into_the_background_of_any_row(
    radius: float, kernel: str
) -> None:
    hard = np.where(disc(400, 200, 80, softness=1) > 127, 255, 0).astype(np.uint8)
    back = flat(400, 200, (30, 60, 90))
    photo = composite(flat(400, 200, (255, 0, 0)), back, hard)
    result = defocus_background_by_row(Scene.decompose(photo, hard), radius, kernel, valley(400))
    assert difference(result, back)[hard == 0].max() <= 1


def test_transparent_pixels_of_the_photo_do_not_become_visible() -> None:
    photo, matte = flat(100, 100, (90, 90, 90)), nothing(100, 100)
    alpha = np.full((100, 100), 255, np.uint8)
    photo[:, 70:], alpha[:, 70:] = (0, 255, 0), 0
    scene = Scene.decompose(photo, matte, alpha)
    result = defocus_background_by_row(scene, 8, "gaussian", valley(100))
    assert difference(result, flat(100, 100, (90, 90, 90))).max() == 0


def test_with_bokeh_highlights_stay_brighter_than_with_a_gaussian() -> None:
    """Bokeh averages linear light; a Gaussian averages sRGB samples, which darkens a lamp."""
    photo = flat(300, 300, (20, 20, 20))
    photo[::30, ::30] = 255
    scene = Scene.decompose(photo, nothing(300, 300))
    light, samples = (
        defocus_background_by_row(scene, 6, kernel, np.full(300, 0.15, np.float32))
        for kernel in ("bokeh", "gaussian")
    )
    assert light[::30, ::30].mean() > 1.2 * samples[::30, ::30].mean()


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (90, 1), (7, 5), (33, 47)])
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_blurred_picture_of_any_size_keeps_its_size(shape: tuple[int, int], kernel: str) -> None:
    scene = Scene.decompose(noise(*shape), random_alpha(*shape), random_alpha(*shape, seed=1))
    for radius in RADII:
        result = defocus_background_by_row(scene, radius, kernel, valley(shape[0]))
        assert result.shape == (*shape, 3)

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.imaging.pictures import difference, flat, noise, weighted_blur

from blur.imaging.blurring.lens import DISC_RADIUS_PER_SIGMA, KERNELS, bokeh, disc_kernel, gaussian

OPAQUE = np.full((200, 200), 255, np.uint8)


def lamp() -> np.ndarray:
    """Return a picture of a small white light on a dark background."""
    image = flat(200, 200, (12, 12, 12))
    image[98:102, 98:102] = 255
    return image


@pytest.mark.parametrize("radius", [0.3, 0.5, 1, 1.7, 4, 9.9])
def test_a_disc_kernel_sums_to_one_and_is_round_and_has_the_requested_radius(radius: float) -> None:
    taps = disc_kernel(radius)
    assert taps.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(taps, taps.T)
    np.testing.assert_allclose(taps, taps[::-1])
    offsets = np.arange(taps.shape[0]) - taps.shape[0] // 2
    if radius >= 1:
        variance = (taps.sum(axis=0) * offsets**2).sum()
        # A disc has the variance radius**2 / 4. Each cell is 1 wide, which adds 1/12.
        assert variance == pytest.approx(radius**2 / 4 + 1 / 12, abs=0.09)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("radius", [0.01, 0.7, 1, 2, 5, 13, 50])
def test_a_kernel_sums_to_one(kernel: str, radius: float) -> None:
    lens = KERNELS[kernel](radius)
    spread = lens.convolve(np.ones((9, 300), np.float32))
    np.testing.assert_allclose(spread, 1, atol=1e-4)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("radius", [0.01, 1, 5, 50])
def test_a_kernel_is_0_outside_of_its_radius(kernel: str, radius: float) -> None:
    lens = KERNELS[kernel](radius)
    side = 2 * lens.radius_cells + 21
    point = np.zeros((side, side), np.float32)
    point[side // 2, side // 2] = 1
    spread = lens.convolve(point)
    assert np.abs(spread[: side // 2 - lens.radius_cells]).max() < 1e-6


@pytest.mark.parametrize("radius", [1, 3, 5, 7.9, 50])
def test_blurring_bytes_differs_from_blurring_floats_by_at_most_half_a_grey_level(
    radius: float,
) -> None:
    lens, image = gaussian(radius), noise(90, 110)
    assert lens.fast_path is not None
    error = lens.fast_path(image) - lens.convolve(image.astype(np.float32))
    assert np.abs(error).max() < 0.501


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("radius", [1, 4, 9, 20])
def test_a_uniform_image_stays_uniform(kernel: str, radius: float) -> None:
    for level in (0, 1, 90, 254, 255):
        image = flat(200, 200, (level, level, level))
        assert difference(weighted_blur(image, OPAQUE, radius, kernel)[0], image).max() == 0


def test_a_lamp_becomes_a_bright_disc_with_bokeh_and_a_dim_spot_with_a_gaussian() -> None:
    disc_of, cloud = (
        weighted_blur(lamp(), OPAQUE, 6, kernel)[0][..., 0] for kernel in ("bokeh", "gaussian")
    )
    assert disc_of[100, 100] > 2 * cloud[100, 100]
    across = disc_of[100].astype(int)
    edge = 100 + round(DISC_RADIUS_PER_SIGMA * 6)
    assert across[edge - 4] > 0.8 * across[100]
    assert across[edge + 5] < 30


def test_bokeh_has_the_same_standard_deviation_as_a_gaussian_of_the_same_radius() -> None:
    step = np.hstack((flat(40, 300, (118, 118, 118)), flat(40, 300, (122, 122, 122))))
    opaque = np.full((40, 600), 255, np.uint8)
    spreads = []
    for kernel in ("gaussian", "bokeh"):
        lens = KERNELS[kernel](12)
        light = lens.convolve(
            np.repeat(step[:: lens.cell_px, :: lens.cell_px, 0], 1, 1).astype(np.float32)
        )
        slope = np.diff(light[light.shape[0] // 2])
        places = np.arange(slope.size)
        centre = (slope * places).sum() / slope.sum()
        spreads.append(np.sqrt((slope * (places - centre) ** 2).sum() / slope.sum()))
    assert opaque.all()
    assert spreads[1] == pytest.approx(spreads[0], rel=0.05)


def test_every_sample_converted_to_linear_light_and_back_is_unchanged() -> None:
    lens = bokeh(3)
    samples = np.arange(256)
    np.testing.assert_array_equal(lens.from_linear(lens.to_linear[samples]), samples)


def test_bokeh_mixes_linear_light_so_a_checkerboard_becomes_brighter_than_with_a_gaussian() -> None:
    checkers = np.indices((200, 200)).sum(axis=0) % 2 * 120 + 60
    image = np.repeat(checkers[..., np.newaxis], 3, axis=2).astype(np.uint8)
    grey = weighted_blur(image, OPAQUE, 3, "bokeh")[0][100, 100, 0]
    assert grey > weighted_blur(image, OPAQUE, 3, "gaussian")[0][100, 100, 0] + 8


def test_each_kernel_reduces_noise() -> None:
    image = noise(200, 200)
    for kernel in KERNELS:
        assert weighted_blur(image, OPAQUE, 8, kernel)[0].std() < 12

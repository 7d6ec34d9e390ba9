from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.imaging.pictures import difference, flat, noise

from blur.imaging.resample import downscale, fit_within, resize, upscale, upscale_by


@pytest.mark.parametrize("step", [1, 2, 4, 8])
def test_downscaling_gives_the_mean_of_the_pixels_in_each_cell(step: int) -> None:
    image = noise(24, 40)
    cells = image.reshape(24 // step, step, 40 // step, step, 3).mean(axis=(1, 3))
    assert np.abs(downscale(image, step) - cells).max() <= 1


@given(height=st.integers(1, 40), width=st.integers(1, 40), power=st.integers(0, 5))
def test_a_uniform_image_of_any_size_is_restored_after_downscaling(
    height: int, width: int, power: int
) -> None:
    image = flat(height, width, (10, 120, 250))
    cells = downscale(image, 1 << power)
    assert cells.shape[0] == -(-height // (1 << power))
    np.testing.assert_array_equal(upscale_by(cells, 1 << power, (height, width)), image)


@pytest.mark.parametrize("step", [2, 4, 8, 16])
def test_a_ramp_keeps_its_position_when_downscaled_and_upscaled(step: int) -> None:
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, np.newaxis], (256, 64)).copy()
    back = upscale_by(downscale(ramp, step), step, (256, 64))
    inner = slice(2 * step, -2 * step)
    assert difference(back, ramp)[inner].max() <= 1


@pytest.mark.parametrize("step", [2, 4, 8, 16])
def test_upscaling_spreads_a_cell_with_the_documented_variance(step: int) -> None:
    cells = np.zeros((1, 65), np.float32)
    cells[0, 32] = 1
    spread = upscale_by(cells, step, (step, 65 * step))[0]
    places = np.arange(spread.size)
    centre = (spread * places).sum() / spread.sum()
    variance = (spread * (places - centre) ** 2).sum() / spread.sum()
    assert centre == pytest.approx(32 * step + (step - 1) / 2)
    assert variance == pytest.approx((step**2 - 1) / 4)


@pytest.mark.parametrize("step", [2, 4, 8, 16, 32])
def test_upscaled_bytes_have_the_same_mean_as_upscaled_floats(step: int) -> None:
    cells = noise(40, 40)
    shape = (40 * step, 40 * step)
    off = upscale_by(cells, step, shape) - upscale_by(cells.astype(np.float32), step, shape)
    assert abs(off.mean()) < 0.15


@given(height=st.integers(1, 100_000), width=st.integers(1, 100_000), side=st.integers(1, 500))
def test_fitting_a_shape_limits_its_longer_side_and_never_enlarges_it(
    height: int, width: int, side: int
) -> None:
    tall, wide = fit_within((height, width), side)
    assert 1 <= tall <= height
    assert 1 <= wide <= width
    assert max(tall, wide) == min(side, max(height, width))


def test_resizing_to_the_same_size_returns_the_same_array() -> None:
    image = noise(7, 9)
    assert resize(image, (7, 9)) is image
    assert upscale(image, (7, 9)) is image

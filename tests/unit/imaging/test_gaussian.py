from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from blur.imaging.gaussian import gaussian, kernel, reach

SIGMAS = [0.3, 0.5, 1.0, 2.5, 7.0]


@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_kernel_sums_to_one_and_is_symmetric(sigma: float) -> None:
    taps = kernel(sigma)
    assert taps.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(taps, taps[::-1])


@pytest.mark.parametrize("sigma", [1.0, 2.5, 7.0])
def test_the_kernel_has_the_standard_deviation_it_is_asked_for(sigma: float) -> None:
    offsets = np.arange(-reach(sigma), reach(sigma) + 1)
    assert np.sqrt((kernel(sigma) * offsets**2).sum()) == pytest.approx(sigma, rel=2e-3)


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("size", [(1, 1), (63, 65), (64, 128), (5, 200)])
def test_it_agrees_with_an_exact_gaussian(sigma: float, size: tuple[int, int]) -> None:
    margin = reach(sigma)
    shape = (2, size[0] + 2 * margin, size[1] + 2 * margin)
    planes = np.random.default_rng(0).random(shape, dtype=np.float32)
    exact = gaussian_filter(
        planes.astype(np.float64), (0, sigma, sigma), radius=(0, margin, margin)
    )
    blurred = gaussian(planes, sigma)
    assert blurred.shape == (2, *size)
    inside = exact[:, margin : margin + size[0], margin : margin + size[1]]
    np.testing.assert_allclose(blurred, inside, atol=1e-5)

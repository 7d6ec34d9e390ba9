from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.unit.imaging.pictures import astronaut, noise

from blur.imaging.matting.closed_form import EPSILON, Windows, conjugate_gradients

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import FloatArray


def everywhere(height: int, width: int) -> NDArray[np.bool_]:
    return np.ones((height, width), np.bool_)


def random_alpha(size: int) -> FloatArray:
    return np.random.default_rng(1).random(size, np.float32)


def test_the_laplacian_cost_of_a_constant_alpha_is_zero() -> None:
    windows = Windows.touching(everywhere(20, 30), noise(20, 30))
    np.testing.assert_allclose(windows.apply(np.ones(600, np.float32)), 0, atol=1e-5)


def test_the_laplacian_cost_of_an_alpha_that_is_linear_in_colour_is_almost_zero() -> None:
    photo = noise(20, 30)
    alpha = (photo.reshape(-1, 3) @ np.array([0.2, 0.5, 0.3]) / 255).astype(np.float32)
    windows = Windows.touching(everywhere(20, 30), photo)
    other = random_alpha(600)
    assert alpha @ windows.apply(alpha) < 1e-3 * (other @ windows.apply(other))


def test_the_laplacian_is_symmetric_and_its_quadratic_form_is_positive() -> None:
    windows = Windows.touching(everywhere(20, 30), noise(20, 30))
    one, other = random_alpha(600), random_alpha(600)[::-1].copy()
    assert one @ windows.apply(other) == pytest.approx(other @ windows.apply(one), rel=1e-4)
    assert one @ windows.apply(one) > 0


def test_the_method_diagonal_returns_the_diagonal_of_the_laplacian() -> None:
    windows = Windows.touching(everywhere(6, 7), noise(6, 7))
    products = [windows.apply(unit) for unit in np.eye(42, dtype=np.float32)]
    np.testing.assert_allclose(windows.diagonal(), np.diagonal(products), atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (2, 50), (50, 2), (3, 3)])
def test_only_windows_that_lie_completely_in_the_photo_are_used(shape: tuple[int, int]) -> None:
    windows = Windows.touching(everywhere(*shape), noise(*shape))
    assert windows.members.shape == (9, 1 if shape == (3, 3) else 0)


def test_windows_without_an_unknown_pixel_are_omitted() -> None:
    unknown = np.zeros((20, 30), np.bool_)
    unknown[10, 15] = True
    assert Windows.touching(unknown, noise(20, 30)).members.shape == (9, 9)


@pytest.mark.filterwarnings("ignore")  # pymatting's imports warn about deprecations
def test_the_laplacian_of_a_photo_equals_the_laplacian_of_pymatting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    from pymatting.laplacian.cf_laplacian import cf_laplacian  # noqa: PLC0415 - the import must follow setenv

    photo = astronaut(40, 50)
    theirs = cf_laplacian(photo / 255, EPSILON, 1)
    alpha = random_alpha(2000)
    ours = Windows.touching(everywhere(40, 50), photo).apply(alpha)
    np.testing.assert_allclose(ours, theirs @ alpha, atol=2e-3)


def test_conjugate_gradients_solve_a_known_system() -> None:
    matrix = np.random.default_rng(0).random((30, 30), np.float32)
    matrix = matrix @ matrix.T + 5 * np.eye(30, dtype=np.float32)
    truth = random_alpha(30)
    zeros = np.zeros(30, np.float32)
    diagonal = np.diagonal(matrix).copy()
    solution = conjugate_gradients(
        lambda x: matrix @ x, diagonal, matrix @ truth, zeros, max_iterations=60, tolerance=1e-6
    )
    np.testing.assert_allclose(solution, truth, atol=1e-4)


def test_conjugate_gradients_that_start_at_the_solution_return_the_solution_unchanged() -> None:
    truth, ones = random_alpha(30), np.ones(30, np.float32)
    solution = conjugate_gradients(
        lambda x: 2 * x, 2 * ones, 2 * truth, truth, max_iterations=5, tolerance=1e-6
    )
    np.testing.assert_array_equal(solution, truth)

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.unit.imaging.pictures import disc

from blur.imaging.depth.ground import Ground, circle_of_confusion, find_ground

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8

HEIGHT, WIDTH = 600, 800


def matte_of(*boxes: tuple[float, float, float, float]) -> AlphaU8:
    """Return a matte with boxes, each as (top, bottom, left, right) in fractions of the size."""
    matte = np.zeros((HEIGHT, WIDTH), np.uint8)
    for top, bottom, left, right in boxes:
        rows = slice(round(top * HEIGHT), round(bottom * HEIGHT))
        matte[rows, round(left * WIDTH) : round(right * WIDTH)] = 255
    return matte


def found(*boxes: tuple[float, float, float, float]) -> Ground:
    ground = find_ground(matte_of(*boxes))
    assert ground is not None
    return ground


def test_the_ground_is_sharp_at_the_subjects_base_and_ends_at_the_horizon() -> None:
    ground = found((0.3, 0.8, 0.4, 0.5))
    np.testing.assert_allclose(ground, (0.8, 0.8, 0.3), atol=0.01)


def test_the_ground_between_the_bases_of_two_subjects_is_in_focus() -> None:
    ground = found((0.3, 0.9, 0.1, 0.25), (0.3, 0.65, 0.6, 0.7))
    np.testing.assert_allclose(ground, (0.9, 0.65, 0.3), atol=0.01)
    shares = circle_of_confusion(ground, HEIGHT)
    assert shares[round(0.66 * HEIGHT) : round(0.89 * HEIGHT)].max() == 0


def test_the_band_in_focus_contains_both_feet_of_a_subject() -> None:
    ground = found((0.2, 0.7, 0.4, 0.6), (0.7, 0.85, 0.4, 0.45), (0.7, 0.8, 0.55, 0.6))
    np.testing.assert_allclose(ground, (0.85, 0.8, 0.2), atol=0.01)


@pytest.mark.parametrize(
    "floating",
    [(0.5, 0.57, 0.6, 0.65), (0.1, 0.35, 0.6, 0.75)],
    ids=["a ball", "above the horizon"],
)
def test_a_subject_in_the_air_does_not_widen_the_band_that_is_in_focus(
    floating: tuple[float, float, float, float],
) -> None:
    person = (0.3, 0.9, 0.2, 0.3)
    assert found(person, floating) == found(person)


def test_no_ground_plane_is_found_if_the_lower_border_cuts_off_a_subject() -> None:
    standing, cut = (0.3, 0.8, 0.1, 0.3), (0.2, 1.0, 0.5, 0.8)
    assert find_ground(matte_of(cut)) is None
    assert find_ground(matte_of(standing, cut)) is None


@pytest.mark.parametrize(
    ("height", "width"), [(600, 800), (1601, 1203), (250, 90), (3000, 4001), (31, 7)]
)
@pytest.mark.parametrize("share", [0.3, 0.55, 0.7, 1.0])
def test_no_ground_plane_is_found_if_the_region_of_interest_cuts_off_the_subject(
    height: int, width: int, share: float
) -> None:
    matte, bottom = np.zeros((height, width), np.uint8), round(share * height)
    matte[height // 10 : bottom, width // 4 : width // 2] = 255
    assert find_ground(matte, bottom=bottom) is None
    assert (find_ground(matte) is None) == (bottom == height)


def test_a_region_of_interest_that_ends_below_the_subject_does_not_change_the_ground_plane() -> (
    None
):
    matte = matte_of((0.3, 0.8, 0.4, 0.5))
    ground = find_ground(matte)
    for share in (0.85, 0.9, 1.0):
        assert find_ground(matte, bottom=round(share * HEIGHT)) == ground


@pytest.mark.parametrize("bottom", [0, 1, 2])
def test_no_ground_plane_is_found_in_a_region_of_interest_of_at_most_two_rows(bottom: int) -> None:
    matte = np.zeros((3000, 4000), np.uint8)
    matte[:bottom] = 255
    assert find_ground(matte, bottom=bottom) is None


def test_no_ground_plane_is_found_for_an_empty_matte() -> None:
    assert find_ground(np.zeros((HEIGHT, WIDTH), np.uint8)) is None


def test_no_ground_plane_is_found_if_the_pixels_under_the_subject_are_transparent() -> None:
    matte, alpha = matte_of((0.3, 0.8, 0.4, 0.5)), np.full((HEIGHT, WIDTH), 255, np.uint8)
    assert find_ground(matte, alpha) == find_ground(matte)
    alpha[round(0.79 * HEIGHT) :] = 0
    assert find_ground(matte, alpha) is None


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (2, 2)])
def test_no_ground_plane_is_found_if_the_subject_fills_a_tiny_or_thin_picture(
    shape: tuple[int, int],
) -> None:
    assert find_ground(np.full(shape, 255, np.uint8)) is None


def test_the_ground_plane_does_not_depend_on_the_size_of_the_photo() -> None:
    small, large = (find_ground(disc(side, side, side / 4)) for side in (400, 1600))
    assert small is not None
    assert large is not None
    np.testing.assert_allclose(small, large, atol=0.01)


def test_the_blur_equals_the_circle_of_confusion_of_a_lens_for_a_plane() -> None:
    """The expected blur of a row follows from its distance on the plane and the lens equation."""
    horizon, camera_height, focus_distance = 0.2, 1.5, 4.0
    row = (np.arange(1000) + 0.5) / 1000
    distance = camera_height / np.maximum(row - horizon, 1e-9)  # for a focal length of 1
    contact = horizon + camera_height / focus_distance
    lens = np.abs(1 / focus_distance - 1 / distance) * focus_distance  # 1 at infinite distance
    shares = circle_of_confusion(Ground(contact, contact, horizon), 1000)
    np.testing.assert_allclose(shares, np.clip(lens, 0, 1), atol=1e-6)


def test_the_blur_increases_equally_fast_behind_and_in_front_of_the_focus() -> None:
    shares = circle_of_confusion(Ground(0.8, 0.6, 0.2), 1000)
    behind, before = shares[590 - 50] - shares[590], shares[810 + 50] - shares[810]
    assert behind == pytest.approx(before, abs=1e-5)
    assert behind == pytest.approx(0.05 / 0.4, abs=1e-5)


def test_an_opaque_alpha_does_not_change_the_ground_even_if_a_foot_is_in_the_last_row() -> None:
    matte = matte_of((0.2, 0.8, 0.3, 0.7), (0.8, 1, 0.3, 0.31))
    ground = find_ground(matte)
    assert ground is not None
    assert find_ground(matte, np.full_like(matte, 255)) == ground

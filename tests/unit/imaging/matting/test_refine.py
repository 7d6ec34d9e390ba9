from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.unit.imaging.pictures import astronaut, disc, flat, noise, random_alpha

from blur.imaging.matting.closed_form import Windows, solve_alpha
from blur.imaging.matting.refine import FINE_SIDE_PX, dilate, find_unknown, refine, to_fine_grid


@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_the_matte_of_a_photo_of_any_size_is_refined(height: int, width: int, seed: int) -> None:
    photo = noise(height, width, seed)
    with pytest.MonkeyPatch.context() as patch:
        # Most pixels are unknown, so refining them in a grid of the usual size would be slow.
        patch.setattr("blur.imaging.matting.refine.FINE_SIDE_PX", 160)
        matte = refine(random_alpha(32, 32, seed), photo)
        assert matte.shape == to_fine_grid(photo).shape[:2]
    assert matte.dtype == np.uint8
    assert max(matte.shape) == 160


def test_a_matte_of_the_usual_size_is_refined_even_if_most_of_its_pixels_are_unknown() -> None:
    assert refine(random_alpha(32, 32), noise(30, 40)).shape == (480, 640)


@pytest.mark.parametrize("shape", [(1, 1), (1, 20_000), (20_000, 1), (2, 3_000)])
def test_the_longer_side_of_the_matte_of_a_tiny_or_long_photo_is_the_side_of_the_fine_grid(
    shape: tuple[int, int],
) -> None:
    matte = refine(disc(320, 320, 100), noise(*shape))
    assert max(matte.shape) == FINE_SIDE_PX


@pytest.mark.parametrize("level", [0, 255])
def test_a_saliency_map_with_only_0_or_only_255_is_unchanged(level: int) -> None:
    assert (refine(np.full((320, 320), level, np.uint8), noise(200, 300)) == level).all()


@pytest.mark.parametrize("photo", [noise(480, 640), astronaut(), flat(480, 640, (9, 90, 200))])
def test_certain_pixels_stay_exactly_0_or_255(photo: np.ndarray) -> None:
    matte = disc(320, 320, 90, softness=16)
    refined = refine(matte, photo)
    resized = np.asarray(Image.fromarray(matte).resize(refined.shape[::-1]))
    uncertain = (resized > 3) & (resized < 252)
    for _ in range(6):
        uncertain = dilate(uncertain)
    certain = ~uncertain
    assert (refined[certain] == np.where(resized > 127, 255, 0)[certain]).all()
    assert certain.mean() > 0.5


def test_the_matte_of_a_uniform_photo_is_close_to_the_rescaled_saliency_map() -> None:
    matte = disc(320, 320, 90, softness=16)
    refined = refine(matte, flat(640, 640, (80, 90, 100))).astype(int)
    prior = np.asarray(Image.fromarray(matte).resize((640, 640), Image.Resampling.BICUBIC))
    rescaled = np.clip((prior / 255 - 0.1) / 0.8, 0, 1) * 255
    assert (np.abs(refined - rescaled) < 40).mean() > 0.98


def test_a_mix_of_two_colours_gets_a_matte_at_least_twice_as_exact_as_the_saliency_map() -> None:
    truth = disc(640, 640, 200, softness=24) / 255
    near, far = np.array([220, 60, 40]), np.array([20, 90, 200])
    photo = np.rint(truth[..., np.newaxis] * near + (1 - truth[..., np.newaxis]) * far)
    prior = disc(320, 320, 100, softness=40)
    alpha = refine(prior, photo.astype(np.uint8)) / 255
    band = (truth > 0.02) & (truth < 0.98)
    expected = np.clip((truth - 0.1) / 0.8, 0, 1)
    prior_alpha = np.asarray(Image.fromarray(prior).resize((640, 640))) / 255
    assert np.abs(alpha - expected)[band].mean() < 0.5 * np.abs(prior_alpha - expected)[band].mean()


def test_refining_the_same_photo_gives_the_same_matte() -> None:
    matte, photo = disc(320, 320, 90, softness=20), astronaut()
    np.testing.assert_array_equal(refine(matte, photo), refine(matte, photo))


def test_uncertain_pixels_and_their_neighbours_are_unknown() -> None:
    row = np.array([[0, 0, 0, 0, 128, 255, 255, 255]], np.uint8).repeat(5, axis=0)
    expected = np.array([0, 0, 0, 1, 1, 1, 0, 0], np.bool_)
    np.testing.assert_array_equal(find_unknown(row), np.tile(expected, (5, 1)))


def test_alpha_is_0_or_1_outside_of_the_unknown_pixels() -> None:
    matte = disc(80, 90, 25, softness=10)
    unknown = find_unknown(matte)
    alpha = solve_alpha(matte, unknown, Windows.touching(unknown, noise(80, 90)))
    assert set(np.unique(alpha[~unknown])) == {0, 1}
    assert ((alpha >= 0) & (alpha <= 1)).all()

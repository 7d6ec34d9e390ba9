from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.unit.imaging.pictures import flat, noise

from blur.errors import NoSubjectError
from blur.imaging.matting.matte import MIN_CONFIDENCE, composite_over_grey, find_matte, stretch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import RgbU8


class FixedPredictor:
    """A predictor that returns a fixed saliency map and records the photo that it gets."""

    def __init__(self, raw: NDArray[np.float32]) -> None:
        self.raw = raw
        self.side_px = raw.shape[0]
        self.photo: RgbU8 | None = None

    def predict(self, photo: RgbU8) -> NDArray[np.float32]:
        self.photo = photo
        return self.raw


def half_and_half(maximum: float) -> NDArray[np.float32]:
    raw = np.full((32, 32), 0.1, np.float32)
    raw[:, 16:] = maximum
    return raw


def test_the_matte_has_the_size_of_the_photo_and_almost_the_whole_range_of_alpha() -> None:
    matte = find_matte(FixedPredictor(half_and_half(0.95)), noise(90, 120))
    assert matte.shape == (90, 120)
    assert matte.dtype == np.uint8
    assert (matte[:, :50] < 10).all()
    assert (matte[:, 70:] > 245).all()


@pytest.mark.parametrize("maximum", [0.0, 0.5, MIN_CONFIDENCE - 0.01, np.nan])
def test_a_saliency_map_with_a_low_maximum_has_no_subject(maximum: float) -> None:
    with pytest.raises(NoSubjectError):
        find_matte(FixedPredictor(half_and_half(maximum)), noise(90, 120))


def test_the_model_gets_a_photo_without_alpha_unchanged() -> None:
    model, photo = FixedPredictor(half_and_half(1)), noise(90, 120)
    find_matte(model, photo)
    assert model.photo is photo


def test_the_model_gets_grey_for_transparent_pixels() -> None:
    model, alpha = FixedPredictor(half_and_half(1)), np.full((90, 120), 255, np.uint8)
    alpha[:40] = 0
    find_matte(model, noise(90, 120), alpha)
    assert model.photo is not None
    np.testing.assert_array_equal(model.photo[:40], flat(40, 120, (128, 128, 128)))
    np.testing.assert_array_equal(model.photo[40:], noise(90, 120)[40:])


def test_colours_of_transparent_pixels_do_not_change_the_composite_over_grey() -> None:
    hidden = np.zeros((10, 10), np.uint8)
    one, other = (
        composite_over_grey(noise(10, 10, 1), hidden),
        composite_over_grey(noise(10, 10, 2), hidden),
    )
    np.testing.assert_array_equal(one, other)


def test_a_stretched_saliency_map_ranges_from_0_to_255() -> None:
    stretched = stretch(np.linspace(0.2, 0.9, 64, dtype=np.float32).reshape(8, 8))
    assert (stretched.min(), stretched.max()) == (0, 255)


def test_stretching_a_uniform_saliency_map_gives_255_everywhere() -> None:
    assert (stretch(np.full((8, 8), 0.97, np.float32)) == 255).all()

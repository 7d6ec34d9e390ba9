"""The pipeline with `subject=person`, which uses the network for people."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.blurred_photos import LIMIT
from tests.unit.imaging.pictures import noise, saved
from tests.unit.imaging.predictors import DiscPredictor

from blur.imaging.blur_options import BlurOptions
from blur.imaging.pipeline import blur_photo
from blur.parameter_errors import InvalidSubjectError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaU8, RgbU8


class Everyone(DiscPredictor):
    """A predictor that finds a person in the upper left quarter of each photo."""

    def predict(self, photo: RgbU8) -> NDArray[np.float32]:
        self.input_shape = photo.shape
        found = np.zeros((256, 256), np.float32)
        found[:128, :128] = 1
        return found


def cutout_alpha(people: Everyone | None, subject: str = "auto") -> AlphaU8:
    data = saved(Image.fromarray(noise(320, 320)), "PNG")
    options = BlurOptions(radius_px=0, mode="cutout", subject=subject)
    result = blur_photo(data, options, model=DiscPredictor(), people=people, max_pixels=LIMIT)
    return np.asarray(Image.open(BytesIO(result.image.data)))[..., 3]


def test_subject_person_uses_only_the_matte_from_the_network_for_people() -> None:
    alpha = cutout_alpha(Everyone(), "person")
    assert (alpha[:150, :150] == 255).all()
    assert (alpha[170:, 170:] == 0).all()
    assert cutout_alpha(Everyone())[160, 160] == 255


def test_with_subject_person_the_saliency_model_does_not_run() -> None:
    model = DiscPredictor()
    data = saved(Image.fromarray(noise(320, 320)), "PNG")
    options = BlurOptions(radius_px=3, subject="person")
    blur_photo(data, options, model=model, people=Everyone(), max_pixels=LIMIT)
    assert model.input_shape == ()


def test_unknown_subjects_and_person_without_its_network_are_rejected_before_decoding() -> None:
    for subject, people in (("animal", Everyone()), ("person", None)):
        with pytest.raises(InvalidSubjectError, match=r"subject"):
            blur_photo(
                b"",
                BlurOptions(radius_px=3, subject=subject),
                model=DiscPredictor(),
                people=people,
                max_pixels=LIMIT,
            )

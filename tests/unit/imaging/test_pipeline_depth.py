"""Results with depth `ground`, and requests for `ground` whose results have depth `flat`."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.blurred_photos import LIMIT, encoded_result
from tests.unit.imaging.pictures import astronaut, difference, noise, saved
from tests.unit.imaging.predictors import DiscPredictor

from blur.imaging.blur_options import BlurOptions
from blur.imaging.blurring.lens import KERNELS
from blur.imaging.pipeline import blur_photo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import RgbU8


def test_the_ground_is_sharp_where_the_subject_stands_and_blurred_far_away() -> None:
    photo = noise(320, 400)
    data = saved(Image.fromarray(photo), "PNG")
    ground = np.asarray(
        Image.open(BytesIO(encoded_result(data, depth="ground", radius_px=12).data))
    )
    uniform = np.asarray(Image.open(BytesIO(encoded_result(data, radius_px=12).data)))
    np.testing.assert_array_equal(ground[120:200, 160:240], photo[120:200, 160:240])
    off = difference(ground, photo).mean(axis=(1, 2))
    assert off[249] < 10
    assert off[:60].min() > 50
    assert difference(ground, uniform)[:40].max() <= 1


@pytest.mark.parametrize("kernel", KERNELS)
def test_with_depth_ground_a_photo_of_a_cut_off_subject_is_blurred_as_with_depth_flat(
    kernel: str,
) -> None:
    class Portrait(DiscPredictor):
        def predict(self, photo: RgbU8) -> NDArray[np.float32]:
            subject = super().predict(photo)
            subject[160:, 60:260] = 1
            return subject

    data = saved(Image.fromarray(astronaut(200, 240)), "PNG")
    flat, cut, standing = (
        blur_photo(
            data,
            BlurOptions(radius_px=9, kernel=kernel, depth=depth),
            model=model,
            max_pixels=LIMIT,
        )
        for depth, model in (
            ("flat", Portrait()),
            ("ground", Portrait()),
            ("ground", DiscPredictor()),
        )
    )
    assert [result.depth for result in (flat, cut, standing)] == ["flat", "flat", "ground"]
    assert flat == cut
    assert cut.image != standing.image


def test_the_depth_of_a_cutout_is_flat_even_if_ground_is_requested() -> None:
    data = saved(Image.fromarray(astronaut(200, 240)), "PNG")
    options = BlurOptions(radius_px=4, mode="cutout", depth="ground")
    assert blur_photo(data, options, model=DiscPredictor(), max_pixels=LIMIT).depth == "flat"

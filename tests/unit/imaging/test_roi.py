"""The region of interest: which pixels it covers, and how the pipeline uses it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.pictures import astronaut, saved

from blur.imaging.blur_options import BlurOptions
from blur.imaging.pipeline import blur_photo
from blur.imaging.roi import Box, parse_roi, with_margin
from blur.parameter_errors import RoiExceedsBoundsError, RoiRegionEmptyError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import RgbU8

SHAPE = (200, 400)


@pytest.mark.parametrize(
    ("text", "rows", "columns"),
    [
        ("0 0 100% 100%", slice(0, 200), slice(0, 400)),
        ("10 20px 50% 75.5%", slice(20, 151), slice(10, 200)),
        ("0.5 0.5 2 2", slice(0, 2), slice(0, 2)),
        (f"{100 / 3}% 0 {200 / 3}% 99.99999999999999%", slice(0, 200), slice(133, 267)),
        ("  398   198 400 200 ", slice(198, 200), slice(398, 400)),
    ],
)
def test_a_region_covers_every_pixel_that_it_touches(
    text: str, rows: slice, columns: slice
) -> None:
    assert parse_roi(text).to_box(SHAPE) == Box(rows, columns)


@pytest.mark.parametrize(
    "text", ["0 0 401 200", "0 0 400 201", "401 0 402 9", "0 0 999999999 9", "0 0 100.1% 50%"]
)
def test_a_region_outside_the_photo_is_rejected(text: str) -> None:
    with pytest.raises(RoiExceedsBoundsError, match="400 pixels wide and 200 pixels high"):
        parse_roi(text).to_box(SHAPE)


@pytest.mark.parametrize("text", ["0 0 0 0", "50% 0 50% 100%", "10 10 11 90", "90% 0 10% 100%"])
def test_a_region_that_is_empty_or_one_pixel_wide_is_rejected(text: str) -> None:
    with pytest.raises(RoiRegionEmptyError, match="left, top, right and bottom"):
        parse_roi(text).to_box(SHAPE)


def test_the_margin_around_a_region_stays_within_the_photo() -> None:
    box = Box(slice(0, 100), slice(300, 400))
    assert with_margin(box, SHAPE) == Box(slice(0, 110), slice(290, 400))


class RedPredictor:
    """A predictor that finds all red pixels."""

    side_px = 160

    def predict(self, photo: RgbU8) -> NDArray[np.float32]:
        red = photo[..., 0] > photo[..., 2]
        image = Image.fromarray(red.astype(np.uint8) * 255).resize((self.side_px, self.side_px))
        return np.asarray(image, np.float32) / np.float32(255)


def two_squares() -> RgbU8:
    """Return a blue photo with a red square on the left and a red square on the right."""
    photo = astronaut(240, 480) // 4
    photo[..., 2] += 100
    for left in (60, 340):
        photo[80:160, left : left + 80] = (220, 40, 30)
    return photo


def result_of(photo: RgbU8, **options: object) -> RgbU8:
    data = saved(Image.fromarray(photo), "PNG")
    blur_options = BlurOptions(radius_px=9, **options)  # type: ignore[arg-type]
    image = blur_photo(data, blur_options, model=RedPredictor(), max_pixels=10**6).image
    return np.asarray(Image.open(io.BytesIO(image.data)))


def test_only_the_subject_in_the_region_stays_sharp() -> None:
    photo = two_squares()
    both, left = result_of(photo), result_of(photo, roi=parse_roi("0 0 50% 100%"))
    inner_left, inner_right = np.s_[90:150, 70:130], np.s_[90:150, 350:410]
    border_right = np.s_[70:90, 340:420]
    assert np.array_equal(both[inner_left], photo[inner_left])
    assert np.array_equal(both[inner_right], photo[inner_right])
    assert np.array_equal(left[inner_left], photo[inner_left])
    assert not np.array_equal(left[border_right], both[border_right])


def test_a_cutout_is_transparent_outside_the_region() -> None:
    cutout = result_of(two_squares(), roi=parse_roi("25 60 140 180"), mode="cutout")
    assert cutout[120, 100, 3] == 255
    assert not cutout[:, 240:, 3].any()


def test_percentages_of_roi_refer_to_the_whole_photo_even_if_pixels_are_transparent() -> None:
    photo = np.dstack((two_squares(), np.full((240, 480), 255, np.uint8)))
    photo[:40, :, 3] = 0
    result = result_of(photo, roi=parse_roi("50% 0 100% 100%"))
    assert result.shape == photo.shape
    inner_right = np.s_[90:150, 350:410]
    assert np.array_equal(result[inner_right], photo[inner_right])


@pytest.mark.parametrize("side", [100, 400])
def test_a_radius_in_percent_gives_the_same_result_as_this_radius_in_pixels(side: int) -> None:
    photo = np.ascontiguousarray(two_squares()[:240, :side])
    data = saved(Image.fromarray(photo), "PNG")
    longer = max(photo.shape)
    results = [
        blur_photo(data, options, model=RedPredictor(), max_pixels=10**6)
        for options in (
            BlurOptions(radius_percent=2.5),
            BlurOptions(radius_px=int(longer * 0.025)),
        )
    ]
    assert results[0] == results[1]


def test_with_depth_ground_a_subject_that_the_region_cuts_off_gets_the_result_of_depth_flat() -> (
    None
):
    data = saved(Image.fromarray(two_squares()), "PNG")
    cut, standing = (parse_roi(f"0 0 50% {bottom}") for bottom in (130, 200))
    results = {
        (roi, depth): blur_photo(
            data,
            BlurOptions(radius_px=9, roi=roi, depth=depth),
            model=RedPredictor(),
            max_pixels=10**6,
        )
        for roi in (cut, standing)
        for depth in ("flat", "ground")
    }
    assert results[cut, "ground"] == results[cut, "flat"]
    assert results[standing, "ground"].depth == "ground"

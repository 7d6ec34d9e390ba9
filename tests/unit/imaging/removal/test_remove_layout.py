"""Crop, margins, position, scale and region of a result."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.pictures import difference, noise, saved
from tests.unit.imaging.removal.removed_photos import photo_file, pixels_of, removed

from blur.imaging.removal.options import Margins
from blur.imaging.results import Foreground
from blur.imaging.roi import Length, parse_roi
from blur.parameter_errors import RoiExceedsBoundsError


def percent(value: float) -> Length:
    return Length(value, is_percent=True)


def test_a_crop_is_the_foreground_box_with_the_same_alpha_and_the_same_opaque_pixels() -> None:
    whole, crop = removed(photo_file()), removed(photo_file(), crop=True)
    top, left, width, height = whole.foreground
    assert crop.size == crop.max_size == (width, height)
    assert crop.foreground == Foreground(0, 0, width, height)
    shown = pixels_of(whole)[top : top + height, left : left + width]
    assert np.array_equal(pixels_of(crop)[..., 3], shown[..., 3])
    opaque = shown[..., 3] == 255
    assert np.array_equal(pixels_of(crop)[opaque], shown[opaque])
    edge = (shown[..., 3] > 0) & ~opaque
    alpha = shown[edge][:, 3:] / 255
    # Faint pixels get the colour of their block, and the crop is divided into other blocks.
    assert (difference(pixels_of(crop)[edge], shown[edge]) * alpha).mean() < 0.5


def test_margins_are_transparent_and_as_wide_as_requested() -> None:
    margins = Margins(percent(10), percent(20), percent(0), Length(7, is_percent=False))
    crop = removed(photo_file(), crop=True)
    wide = removed(photo_file(), crop=True, crop_margin=margins)
    (width, height), (top, left) = crop.size, (round(crop.size[1] / 10), 7)
    assert wide.size == (left + width + round(width / 5), top + height)
    assert wide.foreground == Foreground(top, left, width, height)
    pixels = pixels_of(wide)
    assert np.array_equal(pixels[top:, left : left + width], pixels_of(crop))
    assert not pixels[:top, :, 3].any()
    assert not pixels[:, :left, 3].any()


def test_margin_pixels_near_the_subject_have_the_colours_of_its_edge() -> None:
    """Viewers that interpolate colours without their alpha show no fringe at the crop's edge."""
    margins = Margins(*[Length(60, is_percent=False)] * 4)
    pixels = pixels_of(removed(photo_file(), crop=True, crop_margin=margins))
    inside = slice(60, -60)
    assert np.array_equal(pixels[59, inside, :3], pixels[60, inside, :3])
    assert np.array_equal(pixels[60 - 32, inside, :3], pixels[60, inside, :3])
    assert (pixels[:20, :20] == pixels[0, 0]).all()


def test_a_position_moves_the_subject_without_changing_its_pixels() -> None:
    crop = removed(photo_file(), crop=True)
    moved = removed(photo_file(), position=(1, 0))
    assert moved.size == (400, 300)
    width, height = crop.size
    assert moved.foreground == Foreground(0, 400 - width, width, height)
    assert np.array_equal(pixels_of(moved)[:height, 400 - width :], pixels_of(crop))


@pytest.mark.parametrize("scale", [0.1, 0.5, 1.0])
def test_a_scaled_subject_is_centred_and_fills_the_requested_fraction_of_the_frame(
    scale: float,
) -> None:
    result = removed(photo_file(), scale=scale)
    assert result.size == (400, 300)
    top, left, width, height = result.foreground
    assert height == pytest.approx(300 * scale, abs=2)
    assert top + height / 2 == pytest.approx(150, abs=1.5)
    assert left + width / 2 == pytest.approx(200, abs=1.5)


def test_an_enlarged_subject_keeps_its_colours() -> None:
    """After the enlarged subject is downscaled again, it has the colours of the photo."""
    crop, large = removed(photo_file(), crop=True), removed(photo_file(), scale=1.0)
    top, left, width, height = large.foreground
    enlarged = Image.fromarray(pixels_of(large)[top : top + height, left : left + width])
    small = np.asarray(enlarged.convert("RGBa").resize(crop.size, Image.Resampling.BOX))
    expected = np.asarray(Image.fromarray(pixels_of(crop)).convert("RGBa"))
    assert difference(small, expected).mean() < 3


def test_the_subject_is_searched_for_only_in_the_region() -> None:
    result = removed(photo_file(), roi=parse_roi("0 0 50% 100%"), radius=150)
    top, left, width, height = result.foreground
    assert left + width <= 200
    assert result.size == (400, 300)
    crop = removed(photo_file(), roi=parse_roi("0 0 50% 100%"), radius=150, crop=True)
    assert crop.size == (width, height)
    assert not pixels_of(result)[:, 200:, 3].any()
    shown = pixels_of(result)[top : top + height, left : left + width]
    assert np.array_equal(pixels_of(crop)[..., 3], shown[..., 3])


@pytest.mark.parametrize("roi", ["0 0 100% 100%", "0 0 400 300", "0px 0px 400px 300px"])
def test_a_region_that_is_the_whole_photo_changes_nothing(roi: str) -> None:
    alpha = pixels_of(removed(photo_file()))[..., 3]
    assert np.array_equal(pixels_of(removed(photo_file(), roi=parse_roi(roi)))[..., 3], alpha)


def test_a_region_in_pixels_selects_the_same_part_in_a_preview() -> None:
    data = saved(Image.fromarray(noise(800, 800)), "JPEG")
    roi = parse_roi("0 0 400 800")
    full, preview = removed(data, roi=roi), removed(data, roi=roi, max_megapixels=0.25)
    assert preview.size == (500, 500)
    for own, other in zip(preview.foreground, full.foreground, strict=True):
        assert own == pytest.approx(other * 500 / 800, abs=2)


def test_a_region_outside_the_photo_is_rejected() -> None:
    with pytest.raises(RoiExceedsBoundsError):
        removed(photo_file(), roi=parse_roi("0 0 401 300"))

"""RGB keeps its ICC profile, and grey and CMYK are converted to RGB with their profile."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.icc_profiles import SRGB, cmyk_profile, grey_profile, in_space
from tests.unit.imaging.pictures import astronaut, noise, saved

from blur.imaging.decode.decoder import Photo, decode

GREYS = np.tile(np.arange(256, dtype=np.uint8), (3, 1))


def read(data: bytes) -> Photo:
    return decode(data, max_pixels=1_000_000)


def test_an_rgb_profile_and_the_pixels_are_kept() -> None:
    image = noise(20, 20)
    photo = read(saved(Image.fromarray(image), "PNG", icc_profile=SRGB))
    assert photo.icc_profile == SRGB
    np.testing.assert_array_equal(photo.pixels, image)


def test_grey_with_a_grey_profile_is_converted_to_srgb() -> None:
    photo = read(saved(Image.fromarray(GREYS), "PNG", icc_profile=grey_profile(1.0)))
    assert photo.icc_profile is None
    linear = GREYS[0] / 255
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(photo.pixels[0, :, 1] - 255 * srgb).max() < 1.5


def test_grey_with_alpha_and_a_profile_keeps_its_alpha() -> None:
    image = Image.merge("LA", (Image.fromarray(GREYS), Image.fromarray(GREYS)))
    photo = read(saved(image, "PNG", icc_profile=grey_profile(1.0)))
    np.testing.assert_array_equal(photo.alpha, GREYS)
    assert photo.pixels[0, 55, 0] > 120


def test_grey_with_an_rgb_profile_keeps_the_profile_because_the_result_is_rgb() -> None:
    photo = read(saved(Image.fromarray(GREYS), "PNG", icc_profile=SRGB))
    assert photo.icc_profile == SRGB
    np.testing.assert_array_equal(photo.pixels, np.dstack([GREYS] * 3))


@pytest.mark.parametrize(
    "profile",
    [b"junk", SRGB[:200], in_space(SRGB, b"CMYK"), in_space(SRGB, b"GRAY"), grey_profile(1.0)],
)
def test_a_profile_that_is_broken_or_for_another_colour_space_is_ignored(profile: bytes) -> None:
    image = noise(20, 20)
    photo = read(saved(Image.fromarray(image), "JPEG", quality=100, icc_profile=profile))
    assert photo.icc_profile is None
    plain = read(saved(Image.fromarray(image), "JPEG", quality=100))
    np.testing.assert_array_equal(photo.pixels, plain.pixels)


@pytest.mark.parametrize("profile", [b"junk", SRGB, in_space(SRGB, b"CMYK"), grey_profile(1.0)])
def test_cmyk_with_an_unsuitable_profile_is_converted_without_the_profile(profile: bytes) -> None:
    image = Image.fromarray(astronaut(50, 50)).convert("CMYK")
    photo = read(saved(image, "TIFF", icc_profile=profile))
    assert photo.icc_profile is None
    np.testing.assert_array_equal(photo.pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_cmyk_is_converted_with_its_profile(file_format: str) -> None:
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    red_ink, blue_ink = (
        read(saved(image, file_format, icc_profile=cmyk_profile(cyan_prints_red=red)))
        for red in (True, False)
    )
    assert red_ink.icc_profile is None
    red, green, blue = red_ink.pixels[8, 8].tolist()
    assert red > 240
    assert max(green, blue) < 40
    assert blue_ink.pixels[8, 8, 2] > blue_ink.pixels[8, 8, 0] + 100


def test_with_a_cmyk_profile_paper_without_ink_is_white_and_black_ink_is_black() -> None:
    samples = np.zeros((2, 4, 4), np.uint8)
    samples[:, 2:, 3] = 255
    profile = cmyk_profile(cyan_prints_red=False)
    photo = read(saved(Image.fromarray(samples, "CMYK"), "TIFF", icc_profile=profile))
    assert photo.pixels[:, :2].min() > 250
    assert photo.pixels[:, 2:].max() < 5

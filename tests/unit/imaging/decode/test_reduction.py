"""A JPEG with three channels can be decoded at a smaller size; other files only at full size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base
from tests.unit.imaging.pictures import astronaut, difference, noise, saved

from blur.errors import ImageTooLargeError, InvalidImageError
from blur.imaging.decode.decoder import Photo, decode

LIMIT = 1_000_000


def reduced(data: bytes, factor: int) -> Photo:
    return decode(data, max_pixels=LIMIT, reduction=lambda _: factor)


def jpeg(height: int = 301, width: int = 403, **options: object) -> bytes:
    return saved(Image.fromarray(astronaut(height, width)), "JPEG", quality=95, **options)


@pytest.mark.parametrize(("factor", "used"), [(1, 1), (2, 2), (4, 4), (8, 8), (16, 8)])
def test_a_jpeg_is_reduced_by_a_power_of_two_up_to_8(factor: int, used: int) -> None:
    photo = reduced(jpeg(), factor)
    assert photo.pixels.shape == (-(-301 // used), -(-403 // used), 3)
    assert (photo.reduction, photo.full_shape) == (used, (301, 403))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": "4:4:4"}])
def test_the_reduced_image_looks_like_the_full_image_after_downscaling(
    options: dict[str, object],
) -> None:
    photo = reduced(jpeg(400, 480, **options), 4)
    full = decode(jpeg(400, 480, **options), max_pixels=LIMIT).pixels
    expected = cv2.resize(full, (120, 100), interpolation=cv2.INTER_AREA)
    assert difference(photo.pixels, expected).mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotated_jpeg_is_decoded_at_a_reduced_size_and_turned_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    photo = reduced(jpeg(exif=exif), 2)
    full = decode(jpeg(exif=exif), max_pixels=LIMIT)
    assert photo.full_shape == full.full_shape == full.pixels.shape[:2]
    assert photo.pixels.shape == (-(-full.pixels.shape[0] // 2), -(-full.pixels.shape[1] // 2), 3)


@pytest.mark.parametrize(
    "data",
    [
        saved(Image.fromarray(noise(60, 80)), "PNG"),
        saved(Image.fromarray(noise(60, 80)), "WEBP"),
        saved(Image.fromarray(noise(60, 80)).convert("L"), "JPEG"),
        saved(Image.fromarray(noise(60, 80)).convert("CMYK"), "JPEG"),
    ],
)
def test_a_png_a_webp_and_a_grey_or_cmyk_jpeg_are_decoded_at_full_size(data: bytes) -> None:
    photo = reduced(data, 4)
    assert photo.pixels.shape == (60, 80, 3)
    assert (photo.reduction, photo.full_shape) == (1, (60, 80))


def test_a_jpeg_with_bad_data_is_decoded_at_full_size() -> None:
    damaged = bytearray(jpeg())
    damaged[-400:-300] = bytes(100)
    full, small = decode(bytes(damaged), max_pixels=LIMIT), reduced(bytes(damaged), 4)
    assert small.full_shape == full.full_shape
    assert small.reduction == 1
    assert np.array_equal(small.pixels, full.pixels)


@pytest.mark.parametrize("missing", [3, 500])
def test_a_truncated_jpeg_is_rejected_with_and_without_reduction(missing: int) -> None:
    for factor in (1, 4):
        with pytest.raises(InvalidImageError, match="truncated"):
            reduced(jpeg()[:-missing], factor)


def test_the_pixel_limit_applies_to_the_size_before_the_reduction() -> None:
    with pytest.raises(ImageTooLargeError):
        decode(jpeg(), max_pixels=301 * 403 - 1, reduction=lambda _: 8)

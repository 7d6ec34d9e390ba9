"""Decoding turns photos upright."""

from __future__ import annotations

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from PIL.ExifTags import Base
from tests.unit.imaging.pictures import difference, marked, noise, saved

from blur.imaging.decode.decoder import Photo, decode

pillow_heif.register_heif_opener()  # to write HEIC


def read(data: bytes) -> Photo:
    return decode(data, max_pixels=10_000)


def oriented(image: Image.Image, orientation: int) -> bytes:
    """Return a PNG that is stored rotated, with the orientation that turns it upright."""
    stored = {
        1: lambda upright: upright,
        2: lambda upright: upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda upright: upright.transpose(Image.Transpose.ROTATE_180),
        4: lambda upright: upright.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda upright: upright.transpose(Image.Transpose.TRANSPOSE),
        6: lambda upright: upright.transpose(Image.Transpose.ROTATE_90),
        7: lambda upright: upright.transpose(Image.Transpose.TRANSVERSE),
        8: lambda upright: upright.transpose(Image.Transpose.ROTATE_270),
    }[orientation](image)
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    return saved(stored, "PNG", exif=exif)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_upright(orientation: int) -> None:
    photo = read(oriented(marked(), orientation))
    np.testing.assert_array_equal(photo.pixels, np.asarray(marked()))


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP", "TIFF", "PNG", "HEIF", "AVIF"])
def test_orientation_is_applied_once_in_every_format_that_has_it(
    file_format: str,
) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    # HEIC stores a separate rotation, which its encoder reads from EXIF bytes only.
    photo = read(saved(marked(), file_format, exif=exif.tobytes()))
    turned = np.asarray(marked().transpose(Image.Transpose.ROTATE_270))
    assert photo.pixels.shape == turned.shape
    assert difference(photo.pixels, turned).mean() < 20


def test_the_alpha_channel_is_turned_with_the_image() -> None:
    image = marked().convert("RGBA")
    alpha = noise(24, 40)[..., 0]
    image.putalpha(Image.fromarray(alpha))
    photo = read(oriented(image, 8))
    assert photo.alpha is not None
    np.testing.assert_array_equal(photo.alpha, alpha)


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    photo = read(saved(marked(), "PNG", exif=exif))
    np.testing.assert_array_equal(photo.pixels, np.asarray(marked()))


@pytest.mark.parametrize("exif", [b"Exif\x00\x00", b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b"junk"])
def test_broken_exif_is_ignored(exif: bytes) -> None:
    photo = read(saved(marked(), "PNG", exif=exif))
    np.testing.assert_array_equal(photo.pixels, np.asarray(marked()))

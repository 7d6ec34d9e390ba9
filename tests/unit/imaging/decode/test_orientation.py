"""The EXIF orientation is read from every format, and photos are turned upright."""

from __future__ import annotations

import struct

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from PIL.ExifTags import Base
from tests.unit.imaging.decode.sample_files import exif, png_chunk, png_with, segment
from tests.unit.imaging.pictures import astronaut, difference, marked, noise, saved

from blur.imaging.decode.decoder import Photo, decode
from blur.imaging.decode.orientation import read_orientation

pillow_heif.register_heif_opener()  # lets Pillow write HEIC

BYTE, ASCII, SHORT, LONG = 1, 2, 3, 4
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
PHOTO = astronaut(24, 40)


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
    tags = Image.Exif()
    tags[Base.Orientation] = orientation
    return saved(stored, "PNG", exif=tags)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_with_any_exif_orientation_is_turned_upright(orientation: int) -> None:
    photo = read(oriented(marked(), orientation))
    np.testing.assert_array_equal(photo.pixels, np.asarray(marked()))


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP", "TIFF", "PNG", "HEIF", "AVIF"])
def test_the_orientation_is_applied_once_in_every_format_that_can_store_it(
    file_format: str,
) -> None:
    tags = Image.Exif()
    tags[Base.Orientation] = 6
    # The HEIC encoder finds the rotation only in EXIF data that is passed as bytes.
    photo = read(saved(marked(), file_format, exif=tags.tobytes()))
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
    tags = Image.Exif()
    tags[Base.Orientation] = orientation
    photo = read(saved(marked(), "PNG", exif=tags))
    np.testing.assert_array_equal(photo.pixels, np.asarray(marked()))


@pytest.mark.parametrize("data", [b"Exif\x00\x00", b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b"junk"])
def test_broken_exif_is_ignored(data: bytes) -> None:
    photo = read(saved(marked(), "PNG", exif=data))
    np.testing.assert_array_equal(photo.pixels, np.asarray(marked()))


def test_the_orientation_is_read_even_if_other_tags_point_after_the_end_of_the_file() -> None:
    past_the_end = (0x10F, ASCII, 40, struct.pack("<L", 90_000))
    data = exif(
        past_the_end, (0x110, ASCII, 40, struct.pack("<L", 80_000)), (274, SHORT, 1, b"\6\0\0\0")
    )
    jpeg = saved(Image.fromarray(PHOTO), "JPEG", quality=95)
    pixels = read(jpeg[:2] + segment(0xE1, data) + jpeg[2:]).pixels
    assert pixels.shape == (40, 24, 3)
    png = png_with(Image.fromarray(PHOTO), png_chunk(b"eXIf", data[6:]))
    np.testing.assert_array_equal(read(png).pixels, np.rot90(PHOTO, -1))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("kind", "code"), [(BYTE, "B"), (SHORT, "H"), (LONG, "L")])
def test_the_orientation_is_read_in_every_integer_type(order: str, kind: int, code: str) -> None:
    value = struct.pack(f"{order}{code}", 8).ljust(4, b"\0")
    assert read_orientation(exif((274, kind, 1, value), order=order)) == 8


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Exif\0\0",
        b"II*\0",
        exif((274, ASCII, 1, b"\6\0\0\0")),
        exif((274, SHORT, 1, b"\x09\0\0\0")),
        exif((274, SHORT, 1, bytes(4))),
        exif((274, SHORT, 1, b"\6\0\0\0"))[:20],
        b"II*\0\xff\xff\xff\xff" + bytes(50),
    ],
)
def test_exif_data_without_a_valid_orientation_gives_orientation_1(data: bytes) -> None:
    assert read_orientation(data) == 1


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_an_orientation_in_xmp_is_ignored(file_format: str) -> None:
    image = Image.fromarray(PHOTO)
    if file_format == "PNG":
        data = png_with(image, png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP))
    elif file_format == "TIFF":
        data = saved(image, file_format, tiffinfo={700: XMP})
    else:
        data = saved(image, file_format, xmp=XMP, quality=95)
    assert XMP in data
    pixels = read(data).pixels
    assert pixels.shape == PHOTO.shape
    assert difference(pixels, PHOTO).mean() < 8

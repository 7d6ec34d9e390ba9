"""The orientation and the Adobe RGB mark in valid and broken EXIF data."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.decode.sample_files import exif, png_chunk, png_with, segment
from tests.unit.imaging.icc_profiles import SRGB
from tests.unit.imaging.pictures import astronaut, difference, saved

from blur.imaging.decode.decoder import decode
from blur.imaging.decode.exif import is_adobe_rgb, read_orientation

BYTE, ASCII, SHORT, LONG = 1, 2, 3, 4
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
PHOTO = astronaut(24, 40)


def upright(data: bytes) -> np.ndarray:
    return decode(data, max_pixels=10_000).pixels


def test_the_orientation_is_read_despite_values_past_the_end() -> None:
    past_the_end = (0x10F, ASCII, 40, struct.pack("<L", 90_000))
    data = exif(
        past_the_end, (0x110, ASCII, 40, struct.pack("<L", 80_000)), (274, SHORT, 1, b"\6\0\0\0")
    )
    jpeg = saved(Image.fromarray(PHOTO), "JPEG", quality=95)
    pixels = upright(jpeg[:2] + segment(0xE1, data) + jpeg[2:])
    assert pixels.shape == (40, 24, 3)
    png = png_with(Image.fromarray(PHOTO), png_chunk(b"eXIf", data[6:]))
    np.testing.assert_array_equal(upright(png), np.rot90(PHOTO, -1))


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
def test_data_without_orientation_is_upright(data: bytes) -> None:
    assert read_orientation(data) == 1
    assert not is_adobe_rgb(data)


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
    pixels = upright(data)
    assert pixels.shape == PHOTO.shape
    assert difference(pixels, PHOTO).mean() < 8


def dcf(index: bytes) -> bytes:
    """Return EXIF data with an interoperability directory, as cameras write it."""
    nested = struct.pack("<HHHLL", 1, 40965, LONG, 1, 44) + bytes(4)
    last = struct.pack("<HHHL4s", 1, 1, ASCII, 4, index) + bytes(4)
    return exif((34665, LONG, 1, struct.pack("<L", 26)), after=nested + last)


def test_a_dcf_optional_file_gets_an_adobe_rgb_profile() -> None:
    assert is_adobe_rgb(dcf(b"R03\0"))
    assert not is_adobe_rgb(dcf(b"R98\0"))
    jpeg = saved(Image.fromarray(PHOTO), "JPEG", quality=95)
    photo, plain = (
        decode(jpeg[:2] + segment(0xE1, data) + jpeg[2:], max_pixels=10_000)
        for data in (dcf(b"R03\0"), dcf(b"R98\0"))
    )
    assert photo.icc_profile is not None
    assert "Adobe RGB".encode("utf-16-be") in photo.icc_profile
    assert plain.icc_profile is None
    np.testing.assert_array_equal(photo.pixels, plain.pixels)


def test_a_dcf_optional_file_keeps_its_own_profile() -> None:
    jpeg = saved(Image.fromarray(PHOTO), "JPEG", icc_profile=SRGB)
    photo = decode(jpeg[:2] + segment(0xE1, dcf(b"R03\0")) + jpeg[2:], max_pixels=10_000)
    assert photo.icc_profile == SRGB

"""The Adobe RGB mark in valid and broken EXIF data."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.decode.sample_files import exif, segment
from tests.unit.imaging.icc_profiles import SRGB
from tests.unit.imaging.pictures import astronaut, saved

from blur.imaging.decode.decoder import decode
from blur.imaging.decode.exif import is_adobe_rgb

ASCII, SHORT, LONG = 2, 3, 4
PHOTO = astronaut(24, 40)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Exif\0\0",
        b"II*\0",
        exif((1, ASCII, 4, b"R03\0")),
        exif((34665, SHORT, 1, b"\x1a\0\0\0"))[:20],
        b"II*\0\xff\xff\xff\xff" + bytes(50),
    ],
)
def test_broken_exif_data_does_not_mean_adobe_rgb(data: bytes) -> None:
    assert not is_adobe_rgb(data)


def dcf(index: bytes) -> bytes:
    """Return EXIF data with an interoperability directory, as cameras write it."""
    nested = struct.pack("<HHHLL", 1, 40965, LONG, 1, 44) + bytes(4)
    last = struct.pack("<HHHL4s", 1, 1, ASCII, 4, index) + bytes(4)
    return exif((34665, LONG, 1, struct.pack("<L", 26)), after=nested + last)


def test_a_photo_with_the_interoperability_index_r03_gets_an_adobe_rgb_profile() -> None:
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


def test_a_photo_whose_exif_names_adobe_rgb_keeps_its_embedded_profile() -> None:
    jpeg = saved(Image.fromarray(PHOTO), "JPEG", icc_profile=SRGB)
    photo = decode(jpeg[:2] + segment(0xE1, dcf(b"R03\0")) + jpeg[2:], max_pixels=10_000)
    assert photo.icc_profile == SRGB

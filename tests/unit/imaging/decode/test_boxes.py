"""Boxes of HEIC and AVIF that our code applies, because the decoders ignore them."""

from __future__ import annotations

from functools import cache
from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import Base
from tests.unit.imaging.decode.sample_files import (
    box,
    clean_aperture,
    with_property,
    without_association,
)
from tests.unit.imaging.icc_profiles import SRGB
from tests.unit.imaging.pictures import astronaut, difference, noise, saved

from blur.imaging.decode.alpha_sizes import add_alpha_sizes
from blur.imaging.decode.boxes import boxes, read_items, read_nclx
from blur.imaging.decode.decoder import decode

pillow_heif.register_heif_opener()
FORMATS = ("HEIF", "AVIF")


@cache
def photo(file_format: str, **options: object) -> bytes:
    return saved(Image.fromarray(astronaut(280, 320)), file_format, quality=95, **options)


def test_a_motion_photo_with_a_video_of_3_megabytes_is_read() -> None:
    images = [Image.fromarray(astronaut(64, 64))] + [Image.new("RGB", (16, 16))] * 23
    file = BytesIO()
    images[0].save(file, "HEIF", save_all=True, append_images=images[1:])
    still = file.getvalue()
    video = box(b"mpvd", bytes(3_200_000))
    pixels = decode(still + video, max_pixels=1_000_000).pixels
    np.testing.assert_array_equal(pixels, decode(still, max_pixels=1_000_000).pixels)


def test_a_profile_that_contains_names_of_metadata_is_unchanged() -> None:
    profile = SRGB.replace(b"sRGB", b"Exif").replace(b"lcms", b"uri ")
    data = photo("HEIF", icc_profile=profile, exif=Image.Exif().tobytes())
    assert decode(data, max_pixels=1_000_000).icc_profile == profile


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_photo_is_cropped_to_its_clean_aperture_before_it_is_rotated(
    file_format: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    data = with_property(
        photo(file_format, exif=exif.tobytes()), b"clap", clean_aperture(180, 100, 20, -10)
    )
    pixels = decode(data, max_pixels=1_000_000).pixels
    expected = astronaut(280, 320)[80:180, 90:270]
    expected = np.rot90(expected, -1) if orientation != 1 else expected
    assert pixels.shape == expected.shape
    assert difference(pixels, expected).mean() < 3


@pytest.mark.parametrize("file_format", ["AVIF"])
@pytest.mark.parametrize(
    "aperture",
    [clean_aperture(400, 100), clean_aperture(0, 0), clean_aperture(180, 100, 300)],
)
def test_an_impossible_clean_aperture_is_ignored(file_format: str, aperture: bytes) -> None:
    data = with_property(photo(file_format), b"clap", aperture)
    assert decode(data, max_pixels=1_000_000).pixels.shape == (280, 320, 3)


def test_an_alpha_item_without_a_size_gets_the_size_of_its_image() -> None:
    image = np.dstack((astronaut(64, 96), noise(64, 96)[..., 0]))
    whole = saved(Image.fromarray(image), "AVIF", quality=90)
    items = read_items(whole)
    (alpha,) = (item for reference, item, _ in items.references if reference.kind == b"auxl")
    position = [part.kind for part in items.properties_of(alpha)].index(b"ispe")
    without_size = without_association(whole, alpha, position)
    with pytest.raises(UnidentifiedImageError):
        Image.open(BytesIO(without_size))
    one, other = (decode(data, max_pixels=10_000) for data in (without_size, whole))
    np.testing.assert_array_equal(one.pixels, other.pixels)
    assert one.alpha is not None
    assert other.alpha is not None
    np.testing.assert_array_equal(one.alpha, other.alpha)


def test_a_file_without_an_alpha_item_is_not_changed() -> None:
    whole = photo("AVIF")
    assert add_alpha_sizes(whole) is whole


@pytest.mark.parametrize("file_format", FORMATS)
def test_boxes_truncated_at_any_byte_are_read_without_an_error(file_format: str) -> None:
    whole = photo(file_format, icc_profile=SRGB)
    meta = next(part for part in boxes(whole) if part.kind == b"meta")
    for end in range(meta.start, meta.end):
        read_items(whole[:end])
        add_alpha_sizes(whole[:end])


def test_a_grid_has_the_colour_space_of_its_tiles() -> None:
    colours = box(b"colr", b"nclx" + bytes((0, 12, 0, 13, 0, 6, 0x80)))
    table = b"\0\0\0\0\0\0\0\1" + b"\0\2\1\1"  # item 2 has property 1
    tiles = box(b"dimg", b"\0\1\0\2\0\2\0\3")  # item 1 consists of items 2 and 3
    properties = box(b"iprp", box(b"ipco", colours) + box(b"ipma", table))
    body = box(b"pitm", b"\0\0\0\0\0\1") + box(b"iref", bytes(4) + tiles) + properties
    data = box(b"meta", bytes(4) + body)
    assert read_nclx(data, read_items(data)) == (12, 13)

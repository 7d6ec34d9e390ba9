"""HEIC files: metadata is removed before decoding; files with too much metadata are rejected."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from PIL.ExifTags import Base
from tests.unit.imaging.icc_profiles import SRGB
from tests.unit.imaging.pictures import astronaut, saved

from blur.errors import InvalidImageError
from blur.imaging.decode.heic import MAX_COPIED_BYTES, strip_metadata

pillow_heif.register_heif_opener()


def photo(**options: object) -> bytes:
    return saved(Image.fromarray(astronaut(64, 64)), "HEIF", **options)


def exif(text: str) -> Image.Exif:
    data = Image.Exif()
    data[Base.Make] = text
    return data


def test_pixels_and_profile_do_not_change_and_exif_data_is_removed() -> None:
    whole = photo(exif=exif("Camera"), icc_profile=SRGB)
    before, after = Image.open(BytesIO(whole)), Image.open(BytesIO(strip_metadata(whole)))
    assert before.info["exif"]
    assert not after.info["exif"]
    assert after.info["icc_profile"] == SRGB
    np.testing.assert_array_equal(np.asarray(after), np.asarray(before))


def test_exif_data_that_20_images_share_is_removed_from_each_image() -> None:
    images = [Image.new("RGB", (16, 16)) for _ in range(20)]
    file = BytesIO()
    images[0].save(file, "HEIF", save_all=True, append_images=images[1:], exif=exif("x" * 5000))
    opened = pillow_heif.open_heif(BytesIO(strip_metadata(file.getvalue())))
    assert len(opened) == 20
    assert all(image.info["metadata"] == [] for image in opened)


def test_a_file_whose_item_descriptions_are_too_long_is_rejected() -> None:
    descriptions = b"infe" * 1000
    box = (MAX_COPIED_BYTES // 1000 + 9).to_bytes(4) + b"meta" + descriptions
    with pytest.raises(InvalidImageError, match="items"):
        strip_metadata(photo() + box.ljust(MAX_COPIED_BYTES // 1000 + 9, b"\0"))
    strip_metadata(photo() + box)


def test_a_file_with_too_many_metadata_items_is_rejected() -> None:
    descriptions = b"infe\2\0\0\1\0\1\0\0Exif" * 60
    box = (8 + len(descriptions)).to_bytes(4) + b"meta" + descriptions
    large = (10_000_000).to_bytes(4) + b"mdat" + bytes(9_999_992)
    strip_metadata(photo() + box)
    strip_metadata(large + box.replace(b"Exif", b"hvc1"))
    with pytest.raises(InvalidImageError, match="items"):
        strip_metadata(large + box)


@pytest.mark.parametrize("end", [b"\0\0\0\0mdat", b"\0\0\0\1mdat", b"\0\0\0\7free", b"\xff", b""])
def test_a_last_box_without_a_size_extends_to_the_end_of_the_file(end: bytes) -> None:
    whole = photo() + end
    assert strip_metadata(whole) == whole


def test_bytes_that_look_like_metadata_outside_of_the_meta_box_are_kept() -> None:
    whole = photo(exif=exif("Camera"), icc_profile=SRGB)
    large = b"\0\0\0\1mdat" + (24).to_bytes(8) + b"cdscExif"
    cleaned = strip_metadata(whole + large + b"\0\0\0\x0cfreeuri ")
    assert cleaned.endswith(b"cdscExif\0\0\0\x0cfreeuri ")
    # `Exif` is the type of an item, which is renamed, and also starts the data of this item, which
    # are kept. The added box contains `Exif` once more.
    assert cleaned.count(b"Exif") == whole.count(b"Exif")

"""Read the size of a photo from the first bytes of its file."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.unit.imaging.pictures import saved

from blur.imaging.decode.decoder import decode
from blur.imaging.decode.header_size import read_header_size
from blur.imaging.decode.limits import MAX_SEGMENTS

JPEG = saved(Image.new("RGB", (300, 200)), "JPEG")
WRITERS: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("JPEG", {}),
    "progressive JPEG": ("JPEG", {"progressive": True}),
    "JPEG with EXIF": ("JPEG", {"exif": b"Exif\0\0" + bytes(60_000)}),
    "PNG": ("PNG", {}),
    "WebP": ("WEBP", {}),
    "lossless WebP": ("WEBP", {"lossless": True}),
    "extended WebP": ("WEBP", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("size", [(1, 1), (500, 333), (333, 500), (4000, 3), (1, 16383)])
def test_the_size_in_the_header_equals_the_size_of_the_image(
    name: str, size: tuple[int, int]
) -> None:
    kind, options = WRITERS[name]
    assert read_header_size(saved(Image.new("RGB", size, (9, 9, 9)), kind, **options)) == size


def test_no_size_is_read_from_a_gif_a_bmp_a_tiff_or_a_text() -> None:
    for kind in ("GIF", "BMP", "TIFF"):
        assert read_header_size(saved(Image.new("RGB", (30, 20)), kind)) is None
    assert read_header_size(b"text") is None


@pytest.mark.parametrize("name", WRITERS)
def test_the_size_read_from_a_truncated_file_is_correct_or_none(name: str) -> None:
    kind, options = WRITERS[name]
    data = saved(Image.new("RGB", (500, 333)), kind, **options)
    sizes = {read_header_size(data[:length]) for length in range(min(700, len(data)))}
    assert (500, 333) in sizes | {read_header_size(data)}
    assert sizes <= {None, (500, 333)}


@given(st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF____WEBPVP8 "]), st.binary())
def test_reading_a_damaged_header_never_raises_an_error(signature: bytes, rest: bytes) -> None:
    size = read_header_size(signature + rest)
    assert size is None or min(size) > 0


def test_a_png_with_a_width_of_0_gives_no_size() -> None:
    png = saved(Image.new("RGB", (30, 20)), "PNG")
    assert read_header_size(png[:16] + bytes(4) + png[20:]) is None


def test_the_size_is_found_after_megabytes_of_metadata_that_the_decoder_accepts() -> None:
    metadata = b"\xff\xed" + (65_535).to_bytes(2) + bytes(65_533)
    data = JPEG[:2] + MAX_SEGMENTS // 10 * metadata + JPEG[2:]
    assert read_header_size(data) == (300, 200)
    assert decode(data, max_pixels=60_000).full_shape == (200, 300)


@pytest.mark.parametrize(
    ("filling", "size"),
    [(b"\xff", (300, 200)), (b"\xff\xe1\x00\x02", None), (b"\xff\xe1\x00\x00", None)],
    ids=["fill bytes", "empty segments", "segments without a length"],
)
def test_the_search_for_the_image_size_in_a_jpeg_of_22_megabytes_takes_less_than_a_second(
    filling: bytes, size: tuple[int, int] | None
) -> None:
    data = JPEG[:2] + filling * (22_000_000 // len(filling)) + JPEG[2:]
    started = time.process_time()
    assert read_header_size(data) == size
    assert time.process_time() - started < 1
    inside = JPEG[:2] + filling * 900 + JPEG[2:]
    assert read_header_size(inside) == (None if filling.endswith(b"\0\0") else (300, 200))

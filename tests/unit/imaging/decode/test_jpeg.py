"""JPEG: a missing end marker, segments that are too short, and unsupported kinds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.decode.sample_files import segment
from tests.unit.imaging.pictures import astronaut, saved

from blur.errors import InvalidImageError
from blur.imaging.decode.decoder import decode

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "RGB": ("RGB", {}),
    "progressive": ("RGB", {"progressive": True}),
    "grey": ("L", {}),
    "progressive grey": ("L", {"progressive": True}),
    "CMYK": ("CMYK", {}),
    "with restart markers": ("RGB", {"restart_marker_rows": 2}),
}


def jpeg(kind: str = "RGB") -> bytes:
    mode, options = KINDS[kind]
    return saved(Image.fromarray(astronaut(120, 160)).convert(mode), "JPEG", quality=90, **options)


def pixels(data: bytes) -> np.ndarray:
    return decode(data, max_pixels=100_000).pixels


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_without_an_end_marker_is_decoded(kind: str, missing: int) -> None:
    whole = jpeg(kind)
    np.testing.assert_array_equal(pixels(whole[:-missing]), pixels(whole))


@pytest.mark.parametrize("kind", KINDS)
def test_a_jpeg_that_lacks_image_data_is_rejected_as_truncated(kind: str) -> None:
    whole = jpeg(kind)
    for missing in (8, 20, 100, len(whole) // 3, len(whole) // 2):
        with pytest.raises(InvalidImageError, match="truncated"):
            pixels(whole[:-missing])


def test_a_progressive_jpeg_truncated_between_scans_is_rejected() -> None:
    whole = jpeg("progressive")
    starts = [at for at in range(len(whole)) if whole.startswith((b"\xff\xc4", b"\xff\xda"), at)]
    last = [at for at in starts if whole.startswith(b"\xff\xda", at)][1:]
    for at in [*last, *(at for at in starts if at > last[0])]:
        with pytest.raises(InvalidImageError, match="truncated"):
            pixels(whole[:at])


@pytest.mark.parametrize(
    "short",
    [
        segment(0xE0, b"JFIF\0"),
        segment(0xE0, b"JFIF\0\1\2"),
        segment(0xEE, b"Adobe"),
        segment(0xE2, b"ICC_PROFILE\0\1"),
        segment(0xE0, b""),
        segment(0xE1, b"Exif"),
        segment(0xED, b"Photoshop 3.0\x008BIM"),
    ],
)
@pytest.mark.parametrize("kind", ["RGB", "CMYK"])
def test_a_segment_that_is_too_short_is_ignored(short: bytes, kind: str) -> None:
    whole = jpeg(kind)
    np.testing.assert_array_equal(pixels(whole[:2] + short + whole[2:]), pixels(whole))


@pytest.mark.parametrize(
    ("marker", "bits", "name"),
    [
        (0xC1, 12, "12-bit JPEG"),
        (0xC3, 8, "Lossless JPEG"),
        (0xC5, 8, "Hierarchical JPEG"),
        (0xF7, 8, "JPEG-LS"),
    ],
)
def test_the_error_for_an_unsupported_kind_of_jpeg_names_the_kind(
    marker: int, bits: int, name: str
) -> None:
    whole = bytearray(jpeg())
    at = whole.index(b"\xff\xc0")
    whole[at + 1], whole[at + 4] = marker, bits
    with pytest.raises(InvalidImageError, match=f"^{name} is not supported; save it as 8-bit JPEG"):
        pixels(bytes(whole))


def test_data_after_the_end_of_the_image_changes_no_pixel() -> None:
    whole = jpeg()
    np.testing.assert_array_equal(pixels(whole + b"\xff\xd8\xff\xda\0\0" * 9), pixels(whole))

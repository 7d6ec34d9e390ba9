"""PNG: broken ancillary chunks are ignored, and broken critical chunks are rejected."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from tests.unit.imaging.decode.sample_files import png_chunk, png_with
from tests.unit.imaging.icc_profiles import SRGB, grey_profile
from tests.unit.imaging.pictures import astronaut, saved

from blur.errors import InvalidImageError
from blur.imaging.decode.decoder import Photo, decode

PHOTO = astronaut(20, 30)
ANCILLARY = (
    b"iCCP",
    b"pHYs",
    b"tEXt",
    b"zTXt",
    b"iTXt",
    b"eXIf",
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"cLLI",
    b"cICP",
    b"mDCV",
    b"sBIT",
    b"tIME",
    b"bKGD",
    b"hIST",
    b"sPLT",
    b"acTL",
    b"fcTL",
)


def read(*chunks: bytes) -> Photo:
    return decode(png_with(Image.fromarray(PHOTO), *chunks), max_pixels=1000)


def with_wrong_crc(chunk: bytes) -> bytes:
    return chunk[:-4] + bytes(byte ^ 0xFF for byte in chunk[-4:])


@pytest.mark.parametrize("kind", ANCILLARY)
@pytest.mark.parametrize("body", [b"", b"\0", b"ab", b"Name\0\7rest", b"\xff" * 9])
def test_an_ancillary_chunk_with_an_invalid_length_or_method_is_ignored(
    kind: bytes, body: bytes
) -> None:
    photo = read(png_chunk(kind, body))
    np.testing.assert_array_equal(photo.pixels, PHOTO)
    assert photo.icc_profile is None


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"iCCP", b"name\0\0" + zlib.compress(SRGB)),
        (b"gAMA", struct.pack(">L", 100_000)),
        (b"cICP", bytes((12, 13, 0, 1))),
        (b"eXIf", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"),
        (b"tRNS", struct.pack(">3H", *PHOTO[0, 0])),
        (b"pHYs", bytes(9)),
    ],
)
def test_an_ancillary_chunk_with_a_wrong_crc_is_ignored(kind: bytes, body: bytes) -> None:
    photo = read(with_wrong_crc(png_chunk(kind, body)))
    np.testing.assert_array_equal(photo.pixels, PHOTO)
    assert photo.icc_profile is None
    assert photo.alpha is None


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"tEXt"])
def test_a_long_text_chunk_is_ignored(kind: bytes) -> None:
    compressed = zlib.compress(bytes(3_000_000))
    body = {
        b"zTXt": b"Comment\0\0" + compressed,
        b"iTXt": b"Comment\0\1\0\0\0" + compressed,
        b"tEXt": b"Comment\0" + b"x" * 3_000_000,
    }[kind]
    np.testing.assert_array_equal(read(png_chunk(kind, body)).pixels, PHOTO)


@pytest.mark.parametrize(
    "compressed",
    [zlib.compress(SRGB)[:-9], b"junk", zlib.compress(bytes(9_000_000)), zlib.compress(b"junk")],
)
def test_an_invalid_profile_chunk_is_ignored(compressed: bytes) -> None:
    photo = read(png_chunk(b"iCCP", b"name\0\0" + compressed))
    assert photo.icc_profile is None
    np.testing.assert_array_equal(photo.pixels, PHOTO)


@pytest.mark.parametrize("profile", [b"junk" * 50, grey_profile(2.2)])
def test_gamma_is_used_if_the_profile_is_unusable(profile: bytes) -> None:
    gamma = png_chunk(b"gAMA", struct.pack(">L", 100_000))
    chunk = png_chunk(b"iCCP", b"name\0\0" + zlib.compress(profile))
    np.testing.assert_array_equal(read(chunk, gamma).pixels, read(gamma).pixels)


@pytest.mark.parametrize("before", [b"PLTE", b"IDAT"])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"gAMA", struct.pack(">L", 100_000)),
        (b"cICP", bytes([12, 13, 0, 1])),
        (b"iCCP", b"name\0\0" + zlib.compress(SRGB)),
    ],
)
def test_colour_chunks_after_the_palette_or_after_pixels_are_ignored(
    kind: bytes, body: bytes, before: bytes
) -> None:
    image = Image.fromarray(PHOTO).quantize(16)
    data = saved(image, "PNG")
    start = data.index(before) - 4
    end = start + 12 + int.from_bytes(data[start : start + 4])
    photo = decode(data[:end] + png_chunk(kind, body) + data[end:], max_pixels=1000)
    np.testing.assert_array_equal(photo.pixels, np.asarray(image.convert("RGB")))
    assert photo.icc_profile is None


@pytest.mark.parametrize("length", [0, 1, 3, 5, 7, 17, 300])
@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_a_transparent_colour_with_an_invalid_length_is_ignored(mode: str, length: int) -> None:
    if mode == "P" and 0 < length <= 16:
        length += 16
    image = Image.fromarray(PHOTO)
    image = image.quantize(16) if mode == "P" else image.convert(mode)
    data = saved(image, "PNG")
    start = data.index(b"IDAT") - 4
    chunk = png_chunk(b"tRNS", bytes(length))
    photo = decode(data[:start] + chunk + data[start:], max_pixels=1000)
    np.testing.assert_array_equal(photo.pixels, np.asarray(image.convert("RGB")))
    assert photo.alpha is None


def test_a_trns_chunk_before_the_palette_is_ignored() -> None:
    data = saved(Image.fromarray(PHOTO).quantize(16), "PNG")
    chunk = png_chunk(b"tRNS", bytes(16))
    assert decode(data[:33] + chunk + data[33:], max_pixels=1000).alpha is None


def test_a_complete_profile_is_kept() -> None:
    assert read(png_chunk(b"iCCP", b"name\0\0" + zlib.compress(SRGB))).icc_profile == SRGB


def test_a_critical_chunk_with_a_wrong_crc_is_rejected() -> None:
    data = saved(Image.fromarray(PHOTO), "PNG")
    with pytest.raises(InvalidImageError):
        decode(data[:29] + b"\0\0\0\0" + data[33:], max_pixels=1000)


def test_the_error_for_apples_cgbi_png_names_this_kind_of_png() -> None:
    data = saved(Image.fromarray(PHOTO), "PNG")
    with pytest.raises(InvalidImageError, match="CgBI variant of PNG is not supported; save it as"):
        decode(data[:8] + png_chunk(b"CgBI", bytes(4)) + data[8:], max_pixels=1000)


def test_only_the_first_image_of_an_animation_is_read() -> None:
    frames = [Image.fromarray(PHOTO), Image.fromarray(255 - PHOTO)]
    data = saved(frames[0], "PNG", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decode(data, max_pixels=1000).pixels, PHOTO)

"""Images of extreme or invalid sizes, and images with impossible EXIF data or profiles."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from PIL import Image
from tests.attack.bombs import Make, bmp, gif, jpeg, nested_tiff, plain
from tests.attack.chunks import (
    SHORT,
    UNDEFINED,
    directory,
    patched,
    png,
    png_chunk,
    segment,
    sized,
    tiff,
    zeros,
)
from tests.attack.damaged_files import SIDE_PX, sample
from tests.unit.imaging.icc_profiles import SRGB
from tests.unit.imaging.pictures import astronaut, saved

LONGEST = {"WEBP": 16_383, "HEIF": 2_000}
"""The longest side in pixels, for formats or encoders that allow less than 20,000."""


def exif(count: int) -> bytes:
    """Return EXIF data with two entries that claim to have `count` values each."""
    return directory([(274, SHORT, count, 8), (271, UNDEFINED, count, 8)])


ABSURD: dict[str, Make] = {
    "png with a profile of 4 GB": lambda: _long_chunk(b"iCCP", 2**32 - 1),
    "png with a profile of 2 GB": lambda: _long_chunk(b"iCCP", 2**31 - 1),
    "png with EXIF of 4 GB": lambda: _long_chunk(b"eXIf", 2**32 - 1),
    "png whose EXIF declares 4 G values": lambda: png((8, 8), png_chunk(b"eXIf", exif(2**32 - 1))),
    "png with a cycle in its EXIF": lambda: png((8, 8), png_chunk(b"eXIf", nested_tiff())),
    "jpeg whose EXIF declares 4 G values": lambda: _with(0xE1, b"Exif\0\0" + exif(2**32 - 1)),
    "jpeg whose EXIF declares no values": lambda: _with(0xE1, b"Exif\0\0" + exif(0)),
    "jpeg with profile chunk 255 of 1": lambda: _with(0xE2, b"ICC_PROFILE\0\xff\x01" + SRGB),
    "jpeg with profile chunk 0 of 0": lambda: _with(0xE2, b"ICC_PROFILE\0\0\0" + SRGB),
    "jpeg whose profile declares 4 GB": lambda: _with(
        0xE2, b"ICC_PROFILE\0\x01\x01\xff\xff\xff\xff" + SRGB[4:]
    ),
    "jpeg whose profile has 4 G tags": lambda: _with(
        0xE2, b"ICC_PROFILE\0\x01\x01" + SRGB[:128] + b"\xff\xff\xff\xff" + SRGB[132:]
    ),
    "tiff whose profile declares 4 GB": lambda: tiff(
        (8, 8), bytes(64), (34675, UNDEFINED, 2**32 - 1, 8)
    ),
    "webp whose profile declares 4 GB": lambda: patched(
        sample("webp"), (b"ICCP" + _length_after(b"ICCP"), b"ICCP\xff\xff\xff\xff")
    ),
    "heic whose profile declares 4 GB": lambda: _long_box("heic"),
    "avif whose profile declares 4 GB": lambda: _long_box("avif"),
}
"""Images, by name, whose EXIF data or profile states an impossible length."""


def sizes() -> Iterator[tuple[str, bytes]]:
    """Yield images in every format: one pixel, one very long row or column, and no pixels."""
    for file_format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"):
        longest = LONGEST.get(file_format, 20_000)
        for side in ((1, 1), (1, longest), (longest, 1)):
            yield f"{file_format} of {side}", saved(Image.new("RGB", side, "white"), file_format)
    yield from {
        "png without pixels": png((0, 0)),
        "png without rows": png((20, 0)),
        "gif without pixels": gif(0, 0),
        "gif with a frame without pixels": gif(SIDE_PX, 0),
        "bmp without pixels": bmp(0, 0),
        "jpeg without pixels": jpeg(0, 0),
        "jpeg without rows": jpeg(SIDE_PX, 0),
        "tiff without pixels": tiff((0, 0), b""),
        "heic without pixels": sized(plain("HEIF"), SIDE_PX, 0),
        "avif without pixels": sized(plain("AVIF"), SIDE_PX, 0),
    }.items()


def _long_chunk(kind: bytes, length: int) -> bytes:
    chunk = png_chunk(kind, b"x\0\0" + zeros(100))
    return png((8, 8), struct.pack(">I", length) + chunk[4:])


def _with(marker: int, data: bytes) -> bytes:
    whole = saved(Image.fromarray(astronaut()).resize((SIDE_PX, SIDE_PX)), "JPEG")
    return whole[:2] + segment(marker, data) + whole[2:]


def _length_after(mark: bytes) -> bytes:
    data = sample("webp")
    at = data.index(mark) + 4
    return data[at : at + 4]


def _long_box(kind: str) -> bytes:
    data = sample(kind)
    at = data.index(b"colrprof") - 4
    return data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :]

"""Small files that ask for much, and files that lie about themselves."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import TYPE_CHECKING

from PIL import Image
from tests.attack.chunks import (
    LONG,
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
from tests.attack.mutants import SIDE_PX, sample
from tests.documents import ROOT
from tests.unit.imaging.pictures import saved
from tests.unit.imaging.profiles import SRGB

if TYPE_CHECKING:
    from pathlib import Path

Make = Callable[[], bytes]
CORPUS: Path = ROOT / "tests" / "attack" / "corpus" / "images"
GIGABYTE = 10**9
LARGE = 7000
"""A side whose square is just within the limit on pixels, so that it has to be decoded."""
LONGEST = {"WEBP": 16_383, "HEIF": 2_000}
"""Pixels of the longest side that a format, or its encoder, knows, if it is less than 20,000."""
SCAN = segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + b"\x7f"
"""A scan that adds nothing, by a run of end-of-block codes."""


@cache
def plain(file_format: str) -> bytes:
    """Return a flat square of `SIDE_PX`, of which only a header is of interest."""
    picture = Image.new("RGB", (SIDE_PX, SIDE_PX), (9, 99, 200))
    return saved(picture.convert("P") if file_format == "GIF" else picture, file_format)


def scans() -> bytes:
    """A JPEG that is painted over 5,000 times."""
    progressive = sample("progressive jpeg")
    return progressive[:-2] + SCAN * 5_000 + progressive[-2:]


def gif(screen: int, frame: int) -> bytes:
    """A GIF that claims a screen and a first frame of such sides."""
    data = bytearray(plain("GIF"))
    at = data.index(b"," + struct.pack("<HHHH", 0, 0, SIDE_PX, SIDE_PX))
    data[6:10] = struct.pack("<HH", screen, screen)
    data[at + 5 : at + 9] = struct.pack("<HH", frame, frame)
    return bytes(data)


def webp(canvas: int) -> bytes:
    """A WebP whose extended header claims such a canvas."""
    image = plain("WEBP")[12:]
    side = (canvas - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<II", 10, 0) + side + side + image
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg(width: int, height: int) -> bytes:
    """A JPEG that claims such a size, with the data of a small one."""
    data = plain("JPEG")
    at = data.index(b"\xff\xc0")
    old = data[at + 5 : at + 9]
    return patched(
        data, (data[at : at + 5] + old, data[at : at + 5] + struct.pack(">HH", height, width))
    )


def bmp(width: int, height: int) -> bytes:
    """A BMP that claims such a size, upside down if the height is negative."""
    data = plain("BMP")
    return data[:18] + struct.pack("<ii", width, height) + data[26:]


def nested_tiff() -> bytes:
    """Directories that name one another: the first as its own next, and as its own EXIF."""
    return tiff((8, 8), bytes(64), (34665, LONG, 1, 8), (330, LONG, 1, 8), after=8)


def chain_tiff() -> bytes:
    """A million directories in a chain."""
    start = len(tiff((8, 8), bytes(64)))
    chain = b"".join(struct.pack("<HI", 0, start + 6 * link) for link in range(1, 1_000_000))
    return tiff((8, 8), bytes(64), after=start) + chain


def strips_tiff() -> bytes:
    """A picture of one pixel in a million strips."""
    return tiff((1, 1), bytes(9), (278, SHORT, 1, 2), (273, SHORT, 10**6, b"\x08\0" * 10**6))


def tile_tiff() -> bytes:
    """A picture of one pixel in a tile of two gigabytes."""
    side: list[tuple[int, int, int, int | bytes]] = [(322, LONG, 1, 44_000), (323, LONG, 1, 44_000)]
    return tiff((1, 1), zeros(44_000**2), *side, deflated=True, place=324)


def float_tiff() -> bytes:
    """A large picture of floating point, in which every sample takes four bytes."""
    return tiff((LARGE, LARGE), zeros(4 * LARGE**2), (339, SHORT, 1, 3), deflated=True, bits=32)


def exif(count: int) -> bytes:
    """EXIF data with a value that claims to be so long."""
    return directory([(274, SHORT, count, 8), (271, UNDEFINED, count, 8)])


BOMBS: dict[str, Make] = {
    "png of 50,000 x 50,000": lambda: png((50_000, 50_000), depth=1, colour=0),
    "png with a profile of a gigabyte": lambda: png(
        (8, 8), png_chunk(b"iCCP", b"x\0\0" + zeros(GIGABYTE))
    ),
    "png with a text of a gigabyte": lambda: png(
        (8, 8), png_chunk(b"zTXt", b"x\0\0" + zeros(GIGABYTE))
    ),
    "png with 5,000 texts of a megabyte": lambda: png(
        (8, 8), png_chunk(b"zTXt", b"x\0\0" + zeros(10**6)) * 5_000
    ),
    "jpeg of 5,000 scans": scans,
    "jpeg that claims 65,535 x 65,535": partial(jpeg, 65_535, 65_535),
    "jpeg that claims 7,000 x 7,000": partial(jpeg, LARGE, LARGE),
    "gif with a screen of 65,535": partial(gif, 65_535, SIDE_PX),
    "gif with a frame of 65,535": partial(gif, SIDE_PX, 65_535),
    "gif with a frame of 12,000": partial(gif, SIDE_PX, 12_000),
    "gif with a frame of 7,000": partial(gif, SIDE_PX, LARGE),
    "webp that claims 16,384 x 16,384": partial(webp, 16_384),
    "webp that claims 7,000 x 7,000": partial(webp, LARGE),
    "webp that claims 1 x 1": partial(webp, 1),
    "bmp that claims 40,000 x 40,000": partial(bmp, 40_000, 40_000),
    "bmp that claims -40,000 rows": partial(bmp, 40_000, -40_000),
    "bmp of the least height": partial(bmp, SIDE_PX, -(2**31)),
    "tiff whose directories go round": nested_tiff,
    "tiff of a million directories": chain_tiff,
    "tiff of a million strips": strips_tiff,
    "tiff of one tile of 2 GB": tile_tiff,
    "heic that claims 7,000 x 7,000": lambda: sized(plain("HEIF"), SIDE_PX, LARGE),
    "heic that claims 70,000 x 70,000": lambda: sized(plain("HEIF"), SIDE_PX, 70_000),
    "avif that claims 7,000 x 7,000": lambda: sized(plain("AVIF"), SIDE_PX, LARGE),
    "avif that claims 70,000 x 70,000": lambda: sized(plain("AVIF"), SIDE_PX, 70_000),
    "avif that claims 16 x 16 and is 16,384 x 16,384": (
        CORPUS / "16-that-are-16384.avif"
    ).read_bytes,
}
"""Each by its name; made when it is wanted."""

HEAVY: dict[str, Make] = {
    "png of 7,000 x 7,000, one bit a pixel": lambda: png((LARGE, LARGE), depth=1, colour=0),
    "png of 7,000 x 7,000, 16 bits and alpha": lambda: png((LARGE, LARGE), depth=16, colour=6),
    "png of 7,000 x 7,000 with a key": lambda: png((LARGE, LARGE), png_chunk(b"tRNS", bytes(6))),
    "tiff of 7,000 x 7,000, floating point": float_tiff,
    "png of 1 x 49,000,000": lambda: png((1, 49_000_000)),
    "png of 49,000,000 x 1": lambda: png((49_000_000, 1)),
    "png of 40 x 1,000,000": lambda: png((40, 1_000_000)),
}
"""Small files of as many pixels as are allowed, which are decoded in earnest."""

ABSURD: dict[str, Make] = {
    "png with a profile of 4 GB": lambda: _long_chunk(b"iCCP", 2**32 - 1),
    "png with a profile of 2 GB": lambda: _long_chunk(b"iCCP", 2**31 - 1),
    "png with EXIF of 4 GB": lambda: _long_chunk(b"eXIf", 2**32 - 1),
    "png whose EXIF claims 4 G values": lambda: png((8, 8), png_chunk(b"eXIf", exif(2**32 - 1))),
    "png whose EXIF goes round": lambda: png((8, 8), png_chunk(b"eXIf", nested_tiff())),
    "jpeg whose EXIF claims 4 G values": lambda: _with(0xE1, b"Exif\0\0" + exif(2**32 - 1)),
    "jpeg whose EXIF claims no values": lambda: _with(0xE1, b"Exif\0\0" + exif(0)),
    "jpeg whose profile is piece 255 of 1": lambda: _with(0xE2, b"ICC_PROFILE\0\xff\x01" + SRGB),
    "jpeg whose profile is piece 0 of 0": lambda: _with(0xE2, b"ICC_PROFILE\0\0\0" + SRGB),
    "jpeg whose profile claims 4 GB": lambda: _with(
        0xE2, b"ICC_PROFILE\0\x01\x01\xff\xff\xff\xff" + SRGB[4:]
    ),
    "jpeg whose profile has 4 G tags": lambda: _with(
        0xE2, b"ICC_PROFILE\0\x01\x01" + SRGB[:128] + b"\xff\xff\xff\xff" + SRGB[132:]
    ),
    "tiff whose profile claims 4 GB": lambda: tiff(
        (8, 8), bytes(64), (34675, UNDEFINED, 2**32 - 1, 8)
    ),
    "webp whose profile claims 4 GB": lambda: patched(
        sample("webp"), (b"ICCP" + _length_after(b"ICCP"), b"ICCP\xff\xff\xff\xff")
    ),
    "heic whose profile claims 4 GB": lambda: _long_box("heic"),
    "avif whose profile claims 4 GB": lambda: _long_box("avif"),
}
"""EXIF and profiles whose lengths cannot be."""


def sizes() -> Iterator[tuple[str, bytes]]:
    """Yield pictures of the least and the oddest sizes, in every format, and of none at all."""
    for file_format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"):
        longest = LONGEST.get(file_format, 20_000)
        for side in ((1, 1), (1, longest), (longest, 1)):
            yield f"{file_format} of {side}", saved(Image.new("RGB", side, "white"), file_format)
    yield from {
        "png of no pixels": png((0, 0)),
        "png of no rows": png((20, 0)),
        "gif of no pixels": gif(0, 0),
        "gif with a frame of no pixels": gif(SIDE_PX, 0),
        "bmp of no pixels": bmp(0, 0),
        "jpeg of no pixels": jpeg(0, 0),
        "jpeg of no rows": jpeg(SIDE_PX, 0),
        "tiff of no pixels": tiff((0, 0), b""),
        "heic of no pixels": sized(plain("HEIF"), SIDE_PX, 0),
        "avif of no pixels": sized(plain("AVIF"), SIDE_PX, 0),
    }.items()


def made(bombs: dict[str, Make]) -> Iterator[tuple[str, bytes]]:
    """Make one after the other."""
    for name, make in bombs.items():
        yield name, make()


def _long_chunk(kind: bytes, length: int) -> bytes:
    chunk = png_chunk(kind, b"x\0\0" + zeros(100))
    return png((8, 8), struct.pack(">I", length) + chunk[4:])


def _with(marker: int, data: bytes) -> bytes:
    whole = plain("JPEG")
    return whole[:2] + segment(marker, data) + whole[2:]


def _length_after(mark: bytes) -> bytes:
    data = sample("webp")
    at = data.index(mark) + 4
    return data[at : at + 4]


def _long_box(kind: str) -> bytes:
    data = sample(kind)
    at = data.index(b"colrprof") - 4
    return data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :]

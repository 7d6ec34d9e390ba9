"""Small files that cause much work, and files with false headers."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import TYPE_CHECKING

from PIL import Image
from tests.attack.chunks import LONG, SHORT, patched, png, png_chunk, segment, sized, tiff, zeros
from tests.attack.damaged_files import SIDE_PX
from tests.attack.many_scans import scanned, scanned_tiff, scans
from tests.documents import ROOT
from tests.unit.imaging.decode import sample_files
from tests.unit.imaging.pictures import saved

if TYPE_CHECKING:
    from pathlib import Path

Make = Callable[[], bytes]
CORPUS: Path = ROOT / "tests" / "attack" / "corpus" / "images"
GIGABYTE = 10**9
LARGE = 7000
"""The side of a square with slightly fewer pixels than the limit, so that the image is decoded."""


@cache
def plain(file_format: str) -> bytes:
    """Return a uniform square image with a side of `SIDE_PX` in this format."""
    picture = Image.new("RGB", (SIDE_PX, SIDE_PX), (9, 99, 200))
    return saved(picture.convert("P") if file_format == "GIF" else picture, file_format)


def crowded(photo: bytes, at: int, piece: bytes, count: int) -> bytes:
    """Return the photo with `count` copies of a piece inserted at the offset `at`."""
    return photo[:at] + piece * count + photo[at:]


def gif(screen: int, frame: int) -> bytes:
    """Return a GIF that declares a screen and a first frame of these sizes."""
    data = bytearray(plain("GIF"))
    at = data.index(b"," + struct.pack("<HHHH", 0, 0, SIDE_PX, SIDE_PX))
    data[6:10] = struct.pack("<HH", screen, screen)
    data[at + 5 : at + 9] = struct.pack("<HH", frame, frame)
    return bytes(data)


def webp(canvas: int) -> bytes:
    """Return a WebP whose extended header declares a canvas of this size."""
    image = plain("WEBP")[12:]
    side = (canvas - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<II", 10, 0) + side + side + image
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg(width: int, height: int) -> bytes:
    """Return a JPEG that declares this size, with the data of a small JPEG."""
    data = plain("JPEG")
    at = data.index(b"\xff\xc0")
    old = data[at + 5 : at + 9]
    return patched(
        data, (data[at : at + 5] + old, data[at : at + 5] + struct.pack(">HH", height, width))
    )


def bmp(width: int, height: int) -> bytes:
    """Return a BMP that declares this size, upside down if the height is negative."""
    data = plain("BMP")
    return data[:18] + struct.pack("<ii", width, height) + data[26:]


def nested_tiff() -> bytes:
    """Return a TIFF whose only directory refers to itself as its next, EXIF and child directory."""
    return tiff((8, 8), bytes(64), (34665, LONG, 1, 8), (330, LONG, 1, 8), after=8)


def chain_tiff() -> bytes:
    """Return a TIFF with a million directories in a chain."""
    start = len(tiff((8, 8), bytes(64)))
    chain = b"".join(struct.pack("<HI", 0, start + 6 * link) for link in range(1, 1_000_000))
    return tiff((8, 8), bytes(64), after=start) + chain


def strips_tiff() -> bytes:
    """Return a TIFF that has one pixel, and declares a million strips."""
    return tiff((1, 1), bytes(9), (278, SHORT, 1, 2), (273, SHORT, 10**6, b"\x08\0" * 10**6))


def tile_tiff() -> bytes:
    """Return a TIFF that has one pixel, in a tile of two gigabytes."""
    side: list[tuple[int, int, int, int | bytes]] = [(322, LONG, 1, 44_000), (323, LONG, 1, 44_000)]
    return tiff((1, 1), zeros(44_000**2), *side, deflated=True, place=324)


def planes_tiff(planes: int, sample_format: int) -> bytes:
    """Return a large TIFF with 16-bit samples and a plane per channel.

    The offsets of all strips are equal, so the file is small.
    """
    strip = zlib.compress(bytes(2 * LARGE * 64))
    strips = planes * -(-LARGE // 64)
    return sample_files.tiff(
        {
            256: ("L", (LARGE,)),
            257: ("L", (LARGE,)),
            258: ("H", (16,) * planes),
            259: ("H", (8,)),
            262: ("H", (2,)),
            273: ("L", (8,) * strips),
            277: ("H", (planes,)),
            278: ("L", (64,)),
            279: ("L", (len(strip),) * strips),
            284: ("H", (2,)),
            339: ("H", (sample_format,) * planes),
        }
        | ({338: ("H", (2,))} if planes > 3 else {}),
        strip,
    )


def samples_tiff() -> bytes:
    """Return a small TIFF whose pixels have 60,000 samples each, of which three are colours."""
    strip = zlib.compress(bytes(60_000 * 2_500))
    return sample_files.tiff(
        {
            256: ("L", (50,)),
            257: ("L", (50,)),
            258: ("H", (8,)),
            259: ("H", (8,)),
            262: ("H", (2,)),
            273: ("L", (8,)),
            277: ("H", (60_000,)),
            278: ("L", (50,)),
            279: ("L", (len(strip),)),
            338: ("H", (0,) * 59_997),
        },
        strip,
    )


def float_tiff() -> bytes:
    """Return a large floating-point TIFF, in which every sample takes four bytes."""
    return tiff((LARGE, LARGE), zeros(4 * LARGE**2), (339, SHORT, 1, 3), deflated=True, bits=32)


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
    "jpeg with 5,000 scans": scans,
    "jpeg of 7,000 x 7,000 in 100 scans": partial(scanned, LARGE, 100),
    "tiff with a jpeg of 7,000 x 7,000 in 100 scans": partial(scanned_tiff, LARGE, 100),
    "jpeg with 400,000 pieces of EXIF data": lambda: crowded(
        plain("JPEG"), 2, segment(0xE1, b"Exif\0\0x"), 400_000
    ),
    "png with a million chunks": lambda: crowded(plain("PNG"), 33, png_chunk(b"juNk", b""), 10**6),
    "gif with a comment in 5 million blocks": lambda: crowded(
        plain("GIF"), 13 + 768, b"!\xfe" + b"\1x" * 50_000 + b"\0", 100
    ),
    "jpeg that declares 65,535 x 65,535": partial(jpeg, 65_535, 65_535),
    "jpeg that declares 7,000 x 7,000": partial(jpeg, LARGE, LARGE),
    "gif with a screen of 65,535 x 65,535": partial(gif, 65_535, SIDE_PX),
    "gif with a frame of 65,535 x 65,535": partial(gif, SIDE_PX, 65_535),
    "gif with a frame of 12,000 x 12,000": partial(gif, SIDE_PX, 12_000),
    "gif with a frame of 7,000 x 7,000": partial(gif, SIDE_PX, LARGE),
    "webp that declares 16,384 x 16,384": partial(webp, 16_384),
    "webp that declares 7,000 x 7,000": partial(webp, LARGE),
    "webp that declares 1 x 1": partial(webp, 1),
    "bmp that declares 40,000 x 40,000": partial(bmp, 40_000, 40_000),
    "bmp that declares -40,000 rows": partial(bmp, 40_000, -40_000),
    "bmp that claims -2,147,483,648 rows": partial(bmp, SIDE_PX, -(2**31)),
    "tiff whose directories form a loop": nested_tiff,
    "tiff with a million directories": chain_tiff,
    "tiff with a million strips": strips_tiff,
    "tiff with one tile of 2 GB": tile_tiff,
    "tiff with 60,000 samples per pixel": samples_tiff,
    "heic with a million boxes": lambda: crowded(plain("HEIF"), 36, b"\0\0\0\x08free", 10**6),
    "avif with a million boxes": lambda: crowded(plain("AVIF"), 32, b"\0\0\0\x08free", 10**6),
    "heic that declares 7,000 x 7,000": lambda: sized(plain("HEIF"), SIDE_PX, LARGE),
    "heic that declares 70,000 x 70,000": lambda: sized(plain("HEIF"), SIDE_PX, 70_000),
    "avif that declares 7,000 x 7,000": lambda: sized(plain("AVIF"), SIDE_PX, LARGE),
    "avif that declares 70,000 x 70,000": lambda: sized(plain("AVIF"), SIDE_PX, 70_000),
    "avif that declares 16 x 16 and is 16,384 x 16,384": (
        CORPUS / "16-that-are-16384.avif"
    ).read_bytes,
    "avif that declares 16 x 16 and is 16,384 x 16,384, in 12 bits": (
        CORPUS / "16-that-are-16384-in-12-bits.avif"
    ).read_bytes,
}
"""Functions that make the files, by the descriptions of the files."""
HEAVY: dict[str, Make] = {
    "png of 7,000 x 7,000 in PQ, 16 bits and alpha": lambda: png(
        (LARGE, LARGE), png_chunk(b"cICP", bytes((9, 16, 0, 1))), depth=16, colour=6
    ),
    "tiff of 7,000 x 7,000, 16 bits in planes": partial(planes_tiff, 3, 1),
    "tiff of 7,000 x 7,000, floating point with alpha in planes": partial(planes_tiff, 4, 3),
    "jpeg of 7,000 x 7,000 in 20 scans": partial(scanned, LARGE, 20),
    "png of 7,000 x 7,000, one bit a pixel": lambda: png((LARGE, LARGE), depth=1, colour=0),
    "png of 7,000 x 7,000, 16 bits and alpha": lambda: png((LARGE, LARGE), depth=16, colour=6),
    "png of 7,000 x 7,000 with a transparent colour": lambda: png(
        (LARGE, LARGE), png_chunk(b"tRNS", bytes(6))
    ),
    "tiff of 7,000 x 7,000, floating point": float_tiff,
    "png of 1 x 49,000,000": lambda: png((1, 49_000_000)),
    "png of 49,000,000 x 1": lambda: png((49_000_000, 1)),
    "png of 40 x 1,000,000": lambda: png((40, 1_000_000)),
}
"""Functions that make small files with about the maximum number of pixels; the service decodes
all these files."""


def made(bombs: dict[str, Make]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file; only one file is in memory at a time."""
    for name, make in bombs.items():
        yield name, make()

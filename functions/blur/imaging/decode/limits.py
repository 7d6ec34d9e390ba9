"""Checks against decompression bombs, made before decoding.

The limit on pixels does not protect two formats. A TIFF of one pixel can have a tile of gigabytes
or millions of strips; a JPEG can have thousands of scans, or a million segments of EXIF data,
which its reader joins one by one. Such files cost minutes, or all of the memory.
"""

from __future__ import annotations

import re
import struct
from itertools import islice, takewhile
from typing import TYPE_CHECKING, NamedTuple

from blur.errors import InvalidImageError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SEGMENTS = 1_000
"""Segments before a JPEG's first scan: 255 pieces of a profile, and some of EXIF and XMP data."""
MAX_SCANS = 100
"""Scans of one JPEG, as libtiff has it for the JPEG inside a TIFF; cameras write 1 to 10."""
MAX_SCAN_PIXELS = 1_000_000_000
"""Scans times pixels of one JPEG: a scan without data still visits each block. At 49 megapixels a
scan took 30 ms of CPU and a decode of one scan 550 ms (AMD EPYC): 20 scans double it."""
ORDINARY_SCANS = 20
"""Scans that a JPEG of any size can have: libjpeg writes 10, mozjpeg up to 13."""
MAX_CHUNKS = 50_000
"""Chunks of a PNG, or blocks before a GIF's first frame: 50 MB in chunks of 8 KiB are 6,100."""
MAX_STRIPS = 100_000
"""Strips or tiles of one TIFF: 50 megapixels in tiles of 64 x 64 are 12,000."""
MAX_TILE_PX = 1 << 24
"""Pixels of a tile that is larger than its picture; usual ones have 65,536."""

_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15; the others are DHT, JPG and DAC (ITU-T T.81, table B.1)."""
_BARE = (0x01, *range(0xD0, 0xD9))
"""Markers without a length: TEM, RSTn and SOI (ITU-T T.81, B.1.1.3)."""
_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""A marker, except those inside compressed data: 0xFF before a 0, and RSTn (B.1.1.5)."""

_PROGRESSIVE = re.compile(rb"\xff[\xc2\xca]\x00[\x0b\x0e\x11\x14]\x08")
"""The header of a progressive frame of 1 to 4 components with 8 bits (ITU-T T.81, B.2.2)."""
_COMPRESSION = 259
_JPEG_COMPRESSIONS = (6, 7)
_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 322, 323
_OFFSETS = (273, 324)
"""StripOffsets and TileOffsets (TIFF 6.0, sections 8 and 15)."""
_MAX_ENTRIES = 65_535
"""The largest count of a classic directory; a BigTIFF's count can be any number."""
_WHOLE_NUMBERS = {1: 1, 3: 2, 4: 4, 6: 1, 8: 2, 9: 4, 16: 8, 17: 8}
"""The bytes of one value of each kind that readers take for a whole number."""


def check_jpeg(data: bytes) -> None:
    """Refuse a JPEG of more segments or scans than any camera or program writes.

    Raises:
        InvalidImageError: it has more than `MAX_SEGMENTS` or `MAX_SCANS`, or more scans than a
            picture of its size can need.

    """
    head = takewhile(lambda kind: kind != _START_OF_SCAN, _markers(data))
    if _are_more(head, MAX_SEGMENTS):
        message = f"The JPEG image has more than {MAX_SEGMENTS} segments before its first scan."
        raise InvalidImageError(message)
    if data.count(b"\xff\xda") <= ORDINARY_SCANS:  # the quick answer for every photo
        return
    limit = _max_scans(data)
    if _are_more((kind for kind in _markers(data) if kind == _START_OF_SCAN), limit):
        message = f"The JPEG image has more than {limit} scans, too many for its size."
        raise InvalidImageError(message)


def _max_scans(data: bytes) -> int:
    """Return how many scans a JPEG of this size can have (its frame header: ITU-T T.81, B.2.2)."""
    frames = [at for kind, at in _segments(data) if kind in _START_OF_FRAME]
    sizes = (data[at + 3 : at + 7] for at in frames)
    pixels = max((int.from_bytes(s[:2]) * int.from_bytes(s[2:]) for s in sizes), default=0)
    return min(MAX_SCANS, max(ORDINARY_SCANS, MAX_SCAN_PIXELS // max(1, pixels)))


def _are_more(things: Iterator[int], limit: int) -> bool:
    return next(islice(things, limit, None), None) is not None


def _markers(data: bytes) -> Iterator[int]:
    """Yield each marker of the first image; a video can follow it in the file."""
    return (kind for kind, _ in _segments(data))


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield each marker of the first image, and the offset of the bytes after it."""
    found = _MARKER.search(data)
    while found and found[1][0] != _END_OF_IMAGE:
        kind, at = found[1][0], found.end()
        yield kind, at
        if kind not in _BARE:
            at += int.from_bytes(data[at : at + 2])
        found = _MARKER.search(data, at)


def check_png(data: bytes) -> None:
    """Refuse a PNG of more chunks than anyone writes (PNG, third edition, 5.3).

    Raises:
        InvalidImageError: it has more than `MAX_CHUNKS`.

    """
    at = 8
    for _ in range(MAX_CHUNKS):
        at += 12 + int.from_bytes(data[at : at + 4])
        if at >= len(data):
            return
    message = f"The PNG image has more than {MAX_CHUNKS} chunks."
    raise InvalidImageError(message)


def check_gif(data: bytes) -> None:
    """Refuse a GIF of more blocks before its first frame than anyone writes (GIF89a, 15 and 23).

    Raises:
        InvalidImageError: it has more than `MAX_CHUNKS`.
        IndexError: the file ends before its first frame.

    """
    packed = data[10]
    at = 13 + (3 << ((packed & 7) + 1) if packed & 0x80 else 0)
    is_within = False
    for _ in range(MAX_CHUNKS):
        if is_within:
            is_within, at = data[at] > 0, at + 1 + data[at]
        elif data[at] in b",;":
            return
        else:
            is_within, at = data[at] == ord("!"), at + (2 if data[at] == ord("!") else 1)
    message = f"The GIF image has more than {MAX_CHUNKS} blocks before its first frame."
    raise InvalidImageError(message)


class _Entry(NamedTuple):
    tag: int
    number: int
    value: int
    """The whole number that is stored in the entry itself; 0 for other values."""


def check_tiff(data: bytes) -> None:
    """Refuse a TIFF whose first directory asks for more than its picture can need.

    Of a tag that is there twice the worse counts: readers differ in which one they take.

    Raises:
        InvalidImageError: there are too many entries or strips, the tiles are too large, or
            they are progressive JPEGs, each of which can have a hundred scans. TIFF allows
            sequential ones only (TIFF Technical Note 2).
        struct.error: the file ends before its directory.

    """
    entries = list(_entries(data))
    if any(entry.number > MAX_STRIPS for entry in entries if entry.tag in _OFFSETS):
        message = f"The TIFF image has more than {MAX_STRIPS} strips or tiles."
        raise InvalidImageError(message)
    tile_px = max(_values(entries, _TILE_WIDTH)) * max(_values(entries, _TILE_HEIGHT))
    picture_px = min(_values(entries, _WIDTH)) * min(_values(entries, _HEIGHT))
    if tile_px > max(MAX_TILE_PX, 2 * picture_px):
        message = "The TIFF image has tiles that are much larger than the picture."
        raise InvalidImageError(message)
    is_jpeg = any(value in _JPEG_COMPRESSIONS for value in _values(entries, _COMPRESSION))
    if is_jpeg and _PROGRESSIVE.search(data):
        message = "The TIFF image has progressive JPEG data. Save it with another compression."
        raise InvalidImageError(message)


def _values(entries: list[_Entry], tag: int) -> list[int]:
    return [entry.value for entry in entries if entry.tag == tag] or [0]


def _entries(data: bytes) -> Iterator[_Entry]:
    """Read the first directory as far as it goes (TIFF 6.0, section 2, and BigTIFF)."""
    order, big = ("<" if data.startswith(b"II") else ">"), b"+" in data[2:4]
    (start,) = struct.unpack_from(f"{order}{'Q' if big else 'L'}", data, 8 if big else 4)
    (number,) = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, start)
    if number > _MAX_ENTRIES:
        message = f"The TIFF image has more than {_MAX_ENTRIES} entries in its directory."
        raise InvalidImageError(message)
    entry, first = struct.Struct(f"{order}{'HHQ8s' if big else 'HHL4s'}"), start + (8 if big else 2)
    whole = min(number, (len(data) - first) // entry.size)
    for tag, kind, count, value in entry.iter_unpack(data[first : first + whole * entry.size]):
        size = _WHOLE_NUMBERS.get(kind, 0) if count == 1 else 0
        yield _Entry(tag, count, int.from_bytes(value[:size], "little" if order == "<" else "big"))

"""Checks against decompression bombs, made before decoding.

`check_pixel_count` limits the pixels, but this limit alone is not enough. A TIFF of one pixel can
have millions of strips, or a tile of gigabytes. A JPEG can have thousands of scans, or a million
segments of EXIF data, which the decoder concatenates one by one. Decoding such a file can take
minutes, or need all of the memory.

Limits for reading one format are in that format's module: `boxes.MAX_BOXES` for HEIC and AVIF,
`tiff_directory` and `tiff_blocks` for TIFF.
"""

from __future__ import annotations

import re
import struct
from itertools import islice, takewhile
from typing import TYPE_CHECKING, NamedTuple

from blur.errors import InvalidImageError, TooManyPixelsError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SEGMENTS = 1_000
"""The maximum number of segments before a JPEG's first scan. A colour profile can fill up to 255 of
them."""
MAX_SCANS = 100
"""The maximum number of scans of a JPEG. libtiff has this limit for a JPEG inside a TIFF; cameras
write 1 to 10 scans."""
MAX_SCAN_PIXELS = 1_000_000_000
"""The maximum product of a JPEG's scans and pixels: for a scan without data, the decoder still
visits each block. At 49 megapixels, an empty scan took 30 ms of CPU time, and decoding a photo with
one scan took 550 ms (AMD EPYC), so 20 empty scans double the time."""
ORDINARY_SCANS = 20
"""The number of scans that are allowed at any size: libjpeg writes 10, mozjpeg up to 13."""
MAX_CHUNKS = 50_000
"""The maximum number of chunks of a PNG, and of blocks before a GIF's first frame. A PNG of 50 MB
has 6,100 chunks of 8 KiB."""
MAX_STRIPS = 100_000
"""The maximum number of strips or tiles of a TIFF. An image of 50 megapixels has 12,000 tiles of
64 x 64 pixels."""
MAX_TILE_PX = 1 << 24
"""A tile with more than this number of pixels can have at most twice as many pixels as the image.
Most tiles have 65,536 pixels."""

_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15; the excluded numbers are DHT, JPG and DAC (ITU-T T.81, table B.1)."""
_MARKERS_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9))
"""TEM, RSTn and SOI (ITU-T T.81, B.1.1.3)."""
_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""Matches each marker except RSTn, which is inside compressed data. 0xFF followed by 0 is
compressed data, not a marker (B.1.1.5)."""

_PROGRESSIVE_FRAME = re.compile(rb"\xff[\xc2\xca]\x00[\x0b\x0e\x11\x14]\x08")
"""The header of a progressive frame with 1 to 4 components of 8 bits (ITU-T T.81, B.2.2)."""
_COMPRESSION = 259
_JPEG_COMPRESSIONS = (6, 7)
_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 322, 323
_OFFSETS = (273, 324)
"""StripOffsets and TileOffsets (TIFF 6.0, sections 8 and 15)."""
_MAX_ENTRIES = 65_535
"""The maximum number of entries in a directory. A classic TIFF cannot have more; a BigTIFF can."""
_INTEGER_BYTES = {1: 1, 3: 2, 4: 4, 6: 1, 8: 2, 9: 4, 16: 8, 17: 8}
"""The number of bytes of a value, for each type that decoders read as an integer."""


def check_pixel_count(size: tuple[int, int], max_pixels: int) -> None:
    """Reject an image that has no pixels or too many pixels, by the `size` in the file's header.

    Raises:
        InvalidImageError: the image has no pixels.
        TooManyPixelsError: the image has more than `max_pixels`.

    """
    width, height = size
    if width < 1 or height < 1:
        message = "The image has no pixels."
        raise InvalidImageError(message)
    if width * height > max_pixels:
        raise too_large(max_pixels, f"; this image has {width} x {height}")


def too_large(max_pixels: int, size: str = "") -> TooManyPixelsError:
    """Return the error for an image with more than `max_pixels` pixels.

    `size` is optional text with the image's size, for the end of the message.
    """
    return TooManyPixelsError(f"An image can have at most {max_pixels} pixels{size}.")


def check_jpeg(data: bytes) -> None:
    """Reject a JPEG with more segments or scans than cameras and programs write.

    Raises:
        InvalidImageError: the file has more than `MAX_SEGMENTS` segments before its first scan, or
            more scans than `_max_scans` allows for its size.

    """
    header = takewhile(lambda kind: kind != _START_OF_SCAN, _markers(data))
    if _exceeds(header, MAX_SEGMENTS):
        message = f"The JPEG image has more than {MAX_SEGMENTS} segments before its first scan."
        raise InvalidImageError(message)
    if data.count(b"\xff\xda") <= ORDINARY_SCANS:  # a fast check for ordinary photos
        return
    limit = _max_scans(data)
    if _exceeds((kind for kind in _markers(data) if kind == _START_OF_SCAN), limit):
        message = f"The JPEG image has more than {limit} scans, too many for its size."
        raise InvalidImageError(message)


def _max_scans(data: bytes) -> int:
    """Return the maximum number of scans for the size in the frame header (ITU-T T.81, B.2.2)."""
    frames = [start for kind, start in _segments(data) if kind in _START_OF_FRAME]
    sizes = (data[start + 3 : start + 7] for start in frames)
    pixels = max((int.from_bytes(size[:2]) * int.from_bytes(size[2:]) for size in sizes), default=0)
    return min(MAX_SCANS, max(ORDINARY_SCANS, MAX_SCAN_PIXELS // max(1, pixels)))


def _exceeds(markers: Iterator[int], limit: int) -> bool:
    return next(islice(markers, limit, None), None) is not None


def _markers(data: bytes) -> Iterator[int]:
    """Yield each marker of the first image; the file can contain a video after this image."""
    return (kind for kind, _ in _segments(data))


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield each marker of the first image, and the offset after the marker."""
    marker = _MARKER.search(data)
    while marker and marker[1][0] != _END_OF_IMAGE:
        kind, offset = marker[1][0], marker.end()
        yield kind, offset
        if kind not in _MARKERS_WITHOUT_LENGTH:
            offset += int.from_bytes(data[offset : offset + 2])
        marker = _MARKER.search(data, offset)


def check_png(data: bytes) -> None:
    """Reject a PNG with more than `MAX_CHUNKS` chunks (PNG, third edition, 5.3).

    Raises:
        InvalidImageError: the file has too many chunks.

    """
    offset = 8
    for _ in range(MAX_CHUNKS):
        offset += 12 + int.from_bytes(data[offset : offset + 4])
        if offset >= len(data):
            return
    message = f"The PNG image has more than {MAX_CHUNKS} chunks."
    raise InvalidImageError(message)


def check_gif(data: bytes) -> None:
    """Reject a GIF with over `MAX_CHUNKS` blocks before its first frame (GIF89a, sections 15, 23).

    Raises:
        InvalidImageError: the file has too many blocks.
        IndexError: the file ends before its first frame.

    """
    flags = data[10]
    offset = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    in_extension = False
    for _ in range(MAX_CHUNKS):
        if in_extension:
            in_extension, offset = data[offset] > 0, offset + 1 + data[offset]
        elif data[offset] in b",;":
            return
        else:
            in_extension = data[offset] == ord("!")
            offset += 2 if in_extension else 1
    message = f"The GIF image has more than {MAX_CHUNKS} blocks before its first frame."
    raise InvalidImageError(message)


class _Entry(NamedTuple):
    tag: int
    values: int
    value: int
    """The integer in the entry itself; 0 if the entry has several values, or no integer."""


def check_tiff(data: bytes) -> None:
    """Reject a TIFF that needs more memory or time than an image of its size can need.

    Only the first directory is checked. If a tag occurs twice, the value that makes the check
    stricter is used, because some decoders use the first value, and other decoders the last.

    Raises:
        InvalidImageError: the directory has too many entries or strips, its tiles are too large, or
            the file contains a progressive JPEG. A progressive JPEG can have a hundred scans, and
            TIFF allows only sequential JPEGs (TIFF Technical Note 2).
        struct.error: the file ends before the start of its directory.

    """
    entries = list(_entries(data))
    if any(entry.values > MAX_STRIPS for entry in entries if entry.tag in _OFFSETS):
        message = f"The TIFF image has more than {MAX_STRIPS} strips or tiles."
        raise InvalidImageError(message)
    tile_px = max(_values(entries, _TILE_WIDTH)) * max(_values(entries, _TILE_HEIGHT))
    image_px = min(_values(entries, _WIDTH)) * min(_values(entries, _HEIGHT))
    if tile_px > max(MAX_TILE_PX, 2 * image_px):
        message = "The TIFF image has tiles that are much larger than the image."
        raise InvalidImageError(message)
    is_jpeg = any(value in _JPEG_COMPRESSIONS for value in _values(entries, _COMPRESSION))
    if is_jpeg and _PROGRESSIVE_FRAME.search(data):
        message = "The TIFF image has progressive JPEG data. Save it with another compression."
        raise InvalidImageError(message)


def _values(entries: list[_Entry], tag: int) -> list[int]:
    return [entry.value for entry in entries if entry.tag == tag] or [0]


def _entries(data: bytes) -> Iterator[_Entry]:
    """Yield the complete entries of the first directory (TIFF 6.0, section 2, and BigTIFF)."""
    order, big = ("<" if data.startswith(b"II") else ">"), b"+" in data[2:4]
    (start,) = struct.unpack_from(f"{order}{'Q' if big else 'L'}", data, 8 if big else 4)
    (entries,) = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, start)
    if entries > _MAX_ENTRIES:
        message = f"The TIFF image has more than {_MAX_ENTRIES} entries in its directory."
        raise InvalidImageError(message)
    entry, first = struct.Struct(f"{order}{'HHQ8s' if big else 'HHL4s'}"), start + (8 if big else 2)
    complete = min(entries, (len(data) - first) // entry.size)
    for tag, kind, count, value in entry.iter_unpack(data[first : first + complete * entry.size]):
        size = _INTEGER_BYTES.get(kind, 0) if count == 1 else 0
        yield _Entry(tag, count, int.from_bytes(value[:size], "little" if order == "<" else "big"))

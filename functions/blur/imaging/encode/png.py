"""A fast PNG encoder: W3C PNG, third edition, https://www.w3.org/TR/png-3/.

The rows are compressed in strips, in parallel: a strip that ends with a full flush ends on a byte
boundary and refers to no other strip, so the concatenated strips are one deflate stream (RFC 1951;
M. Adler's pigz does the same).

The fast method gives every row the filter "Up", which is one subtraction of whole arrays; encoders
that search for the best filter try five. The compact method, for cutouts, compresses a few rows of
each strip with "Up" and with "Paeth", and uses the better one for the strip. Only the part of a
strip that is not constant takes time.
"""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from isal import isal_zlib

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from blur.imaging.arrays import ImageU8

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 3: 2, 4: 6}
"""By the number of channels: grey, truecolour, and truecolour with alpha (11.2.1)."""
FILTER_UP = 2
"""The filter that stores each byte's difference from the byte above (9.2)."""
FILTER_PAETH = 4
"""The filter that stores the difference from the left, upper or upper left byte (9.4)."""
FAST_LEVEL = 2
"""isal's level: of 0 to 3, the one with the smallest files for photos."""
COMPACT_LEVELS = ((1 << 22, 5), (1 << 62, 4))
"""zlib's level up to a number of pixels: 5 takes 1.7 times as long as 4, and saves 3 %."""
SAMPLE_ROWS = 8
"""Rows of a strip that are compressed with each filter to choose one."""
CACHED_ROWS = 8
"""Rows that "Paeth" filters at a time: its arrays then stay in the processor's cache."""
STRIP_BYTES = 1 << 22
ZLIB_HEADER = b"\x78\x01"
"""Deflate, a window of 32 KiB, no dictionary, a fast compressor (RFC 1950, 2.2)."""
RAW_DEFLATE = -15
"""zlib's window bits for a stream without header and checksum."""
LAST_BLOCK = b"\x03\x00"
"""An empty last block, which ends a deflate stream (RFC 1951, 3.2.6)."""
PROFILE_NAME = b"ICC Profile"


def write_png(
    image: ImageU8, icc_profile: bytes | None = None, threads: int = 2, *, compact: bool = False
) -> bytes:
    """Encode an image, uint8 (H, W, C) with 1, 3 or 4 channels, at least 1 x 1.

    `compact` makes a smaller file in more time. The result does not depend on `threads`.
    """
    height, width, channels = image.shape
    header = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    parts = [SIGNATURE, *_chunk(b"IHDR", header)]
    if icc_profile is not None:
        parts += _chunk(b"iCCP", PROFILE_NAME + b"\0\0" + zlib.compress(icc_profile))
    parts += _image_data(image, threads, compact=compact)
    parts += _chunk(b"IEND", b"")
    return b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> tuple[bytes, ...]:
    """Return the parts of a chunk (5.3): length, type, data, CRC of type and data."""
    crc = isal_zlib.crc32(data, isal_zlib.crc32(kind))
    return struct.pack(">I", len(data)), kind, data, struct.pack(">I", crc)


def _image_data(image: ImageU8, threads: int, *, compact: bool) -> Iterator[bytes]:
    """Yield one IDAT chunk for each strip of rows; together they are one zlib stream."""
    rows = max(1, STRIP_BYTES // image[0].size)
    tops = range(0, image.shape[0], rows)
    deflate_strip = partial(_deflate_compact, _level(image)) if compact else _deflate_fast
    checksum, header = 1, ZLIB_HEADER
    with ThreadPoolExecutor(threads) as pool:
        for filtered, deflated in pool.map(lambda top: deflate_strip(image, top, rows), tops):
            checksum = isal_zlib.adler32(filtered, checksum)
            yield from _chunk(b"IDAT", header + deflated)
            header = b""
    yield from _chunk(b"IDAT", LAST_BLOCK + struct.pack(">I", checksum))


def _deflate_fast(image: ImageU8, top: int, rows: int) -> tuple[NDArray[np.uint8], bytes]:
    filtered = filter_up(image, top, min(top + rows, image.shape[0]))
    compressor = isal_zlib.compressobj(FAST_LEVEL, isal_zlib.DEFLATED, RAW_DEFLATE)
    deflated = compressor.compress(filtered) + compressor.flush(isal_zlib.Z_FULL_FLUSH)
    return filtered, deflated


def _level(image: ImageU8) -> int:
    pixels = image.shape[0] * image.shape[1]
    return next(level for max_pixels, level in COMPACT_LEVELS if pixels <= max_pixels)


def _deflate_compact(
    level: int, image: ImageU8, top: int, rows: int
) -> tuple[NDArray[np.uint8], bytes]:
    filtered = filter_up(image, top, min(top + rows, image.shape[0]))
    changes = find_changes(filtered, image.shape[2], top)
    if changes is not None and _paeth_is_smaller(level, image, filtered, changes):
        apply_paeth(image, filtered, changes)
    return filtered, _deflate(filtered, level)


def _deflate(filtered: NDArray[np.uint8], level: int) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, RAW_DEFLATE)
    return compressor.compress(filtered.data) + compressor.flush(zlib.Z_FULL_FLUSH)


def filter_up(image: ImageU8, top: int, bottom: int) -> NDArray[np.uint8]:
    """Return filtered rows, each with its filter type in front: (h, 1 + W * C)."""
    samples = image.reshape(image.shape[0], -1)
    filtered = np.empty((bottom - top, 1 + samples.shape[1]), np.uint8)
    filtered[:, 0] = FILTER_UP
    filtered[0, 1:] = samples[top] - samples[top - 1] if top else samples[0]
    np.subtract(samples[top + 1 : bottom], samples[top : bottom - 1], out=filtered[1:, 1:])
    return filtered


class Changes(NamedTuple):
    """The part of a strip outside of which every pixel equals the one above."""

    top: int
    """The row of the image that is the strip's first."""
    rows: slice
    """Of the strip."""
    columns: slice
    """Of the image."""

    def middle(self) -> Changes:
        """Return at most `SAMPLE_ROWS` of the rows, in the middle."""
        spare = max(0, self.rows.stop - self.rows.start - SAMPLE_ROWS)
        start = self.rows.start + spare // 2
        return self._replace(rows=slice(start, self.rows.stop - (spare - spare // 2)))


def find_changes(filtered: NDArray[np.uint8], channels: int, top: int) -> Changes | None:
    """Return the part of rows, filtered by `filter_up`, that has other values than 0.

    The first row of the image has none above it, and is never part of the result.
    """
    first = 0 if top else 1
    samples = filtered[first:, 1:]
    rows = np.flatnonzero(samples.any(axis=1))
    if not rows.size:
        return None
    samples = samples[rows[0] : rows[-1] + 1]
    columns = np.flatnonzero(np.bitwise_or.reduce(samples, axis=0)) // channels
    width = samples.shape[1] // channels
    return Changes(
        top,
        slice(first + int(rows[0]), first + int(rows[-1]) + 1),
        slice(int(columns[0]), min(width, int(columns[-1]) + 2)),
    )


def _paeth_is_smaller(
    level: int, image: ImageU8, filtered: NDArray[np.uint8], changes: Changes
) -> bool:
    sample = changes.middle()
    channels = image.shape[2]
    columns = slice(1 + sample.columns.start * channels, 1 + sample.columns.stop * channels)
    up = np.ascontiguousarray(filtered[sample.rows, columns])
    return len(_deflate(paeth_residuals(image, sample), level)) < len(_deflate(up, level))


def apply_paeth(image: ImageU8, filtered: NDArray[np.uint8], changes: Changes) -> None:
    """Replace the filter "Up" of the rows with changes by "Paeth", in place.

    Outside of the changed columns, both filters give 0: there, the upper pixel equals the pixel,
    and the upper left one equals the left one.
    """
    channels = image.shape[2]
    columns = slice(1 + changes.columns.start * channels, 1 + changes.columns.stop * channels)
    filtered[changes.rows, 0] = FILTER_PAETH
    for start in range(changes.rows.start, changes.rows.stop, CACHED_ROWS):
        rows = slice(start, min(start + CACHED_ROWS, changes.rows.stop))
        filtered[rows, columns] = paeth_residuals(image, changes._replace(rows=rows))


def paeth_residuals(image: ImageU8, changes: Changes) -> NDArray[np.uint8]:
    """Return the bytes of some pixels, filtered by "Paeth", (rows, columns * C).

    The predictor is the nearest to a + b - c of a, b and c (9.4). With pa = |b - c| and
    pb = |a - c|, pc = |(b - c) + (a - c)| is pa + pb, or their difference if the signs differ.
    """
    first, last = changes.top + changes.rows.start, changes.top + changes.rows.stop
    start, stop = changes.columns.start, changes.columns.stop
    window = image[first - 1 : last, max(0, start - 1) : stop]
    if start == 0:
        window = cv2.copyMakeBorder(window, 0, 0, 1, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    here, left, above, corner = (
        np.ascontiguousarray(part).reshape(last - first, -1)
        for part in (window[1:, 1:], window[1:, :-1], window[:-1, 1:], window[:-1, :-1])
    )
    to_left, to_above = cv2.absdiff(above, corner), cv2.absdiff(left, corner)
    to_corner = cv2.add(to_left, to_above)
    opposed = cv2.compare(above, corner, cv2.CMP_GT) ^ cv2.compare(left, corner, cv2.CMP_GT)
    cv2.copyTo(cv2.absdiff(to_left, to_above), opposed, to_corner)
    predicted = corner
    cv2.copyTo(above, cv2.compare(to_above, to_corner, cv2.CMP_LE), predicted)
    nearest = cv2.compare(to_left, cv2.min(to_above, to_corner), cv2.CMP_LE)
    cv2.copyTo(left, nearest, predicted)
    return here - predicted

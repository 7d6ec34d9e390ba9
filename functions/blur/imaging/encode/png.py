"""A fast PNG encoder: W3C PNG, third edition, https://www.w3.org/TR/png-3/.

Two choices make it fast. Every row has the filter "Up", which is one subtraction of whole arrays;
encoders that search for the best filter try five. And the rows are compressed in strips, in
parallel: a strip that ends with a full flush ends on a byte boundary and refers to no other strip,
so the concatenated strips are one deflate stream (RFC 1951; M. Adler's pigz does the same).
"""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from isal import isal_zlib

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from blur.imaging.arrays import ImageU8

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {3: 2, 4: 6}
"""By the number of channels: truecolour, and truecolour with alpha (11.2.1)."""
FILTER_UP = 2
"""The filter that stores each byte's difference from the byte above (9.2)."""
COMPRESSION_LEVEL = 2
"""isal's level: of 0 to 3, the one with the smallest files for photos."""
STRIP_BYTES = 1 << 22
ZLIB_HEADER = b"\x78\x01"
"""Deflate, a window of 32 KiB, no dictionary, a fast compressor (RFC 1950, 2.2)."""
RAW_DEFLATE = -15
"""zlib's window bits for a stream without header and checksum."""
LAST_BLOCK = b"\x03\x00"
"""An empty last block, which ends a deflate stream (RFC 1951, 3.2.6)."""
PROFILE_NAME = b"ICC Profile"


def write_png(image: ImageU8, icc_profile: bytes | None = None, threads: int = 2) -> bytes:
    """Encode an image, uint8 (H, W, 3) or (H, W, 4), at least 1 x 1.

    The result does not depend on `threads`.
    """
    height, width, channels = image.shape
    header = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    parts = [SIGNATURE, *_chunk(b"IHDR", header)]
    if icc_profile is not None:
        parts += _chunk(b"iCCP", PROFILE_NAME + b"\0\0" + zlib.compress(icc_profile))
    parts += _image_data(image, threads)
    parts += _chunk(b"IEND", b"")
    return b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> tuple[bytes, ...]:
    """Return the parts of a chunk (5.3): length, type, data, CRC of type and data."""
    crc = isal_zlib.crc32(data, isal_zlib.crc32(kind))
    return struct.pack(">I", len(data)), kind, data, struct.pack(">I", crc)


def _image_data(image: ImageU8, threads: int) -> Iterator[bytes]:
    """Yield one IDAT chunk for each strip of rows; together they are one zlib stream."""
    rows = max(1, STRIP_BYTES // image[0].size)
    tops = range(0, image.shape[0], rows)
    checksum, header = 1, ZLIB_HEADER
    with ThreadPoolExecutor(threads) as pool:
        for filtered, deflated in pool.map(lambda top: _deflate_strip(image, top, rows), tops):
            checksum = isal_zlib.adler32(filtered, checksum)
            yield from _chunk(b"IDAT", header + deflated)
            header = b""
    yield from _chunk(b"IDAT", LAST_BLOCK + struct.pack(">I", checksum))


def _deflate_strip(image: ImageU8, top: int, rows: int) -> tuple[NDArray[np.uint8], bytes]:
    filtered = filter_up(image, top, min(top + rows, image.shape[0]))
    compressor = isal_zlib.compressobj(COMPRESSION_LEVEL, isal_zlib.DEFLATED, RAW_DEFLATE)
    deflated = compressor.compress(filtered) + compressor.flush(isal_zlib.Z_FULL_FLUSH)
    return filtered, deflated


def filter_up(image: ImageU8, top: int, bottom: int) -> NDArray[np.uint8]:
    """Return filtered rows, each with its filter type in front: (h, 1 + W * C)."""
    samples = image.reshape(image.shape[0], -1)
    filtered = np.empty((bottom - top, 1 + samples.shape[1]), np.uint8)
    filtered[:, 0] = FILTER_UP
    filtered[0, 1:] = samples[top] - samples[top - 1] if top else samples[0]
    np.subtract(samples[top + 1 : bottom], samples[top : bottom - 1], out=filtered[1:, 1:])
    return filtered

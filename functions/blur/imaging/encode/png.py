"""A fast PNG encoder: W3C PNG, third edition, https://www.w3.org/TR/png-3/.

Strips of rows are compressed in parallel. After each strip, the compressor does a full flush: the
strip's data ends on a byte boundary, and the data of the next strip does not refer to it. So the
concatenated data is one deflate stream (RFC 1951; M. Adler's pigz does the same).

The fast method gives every row the filter "Up", which is one subtraction of whole arrays, and
compresses with ISA-L. `png_compact` makes smaller files, but takes more time.
"""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from isal import isal_zlib

from blur.imaging.encode.png_compact import CompactStrips
from blur.imaging.encode.png_filters import UP
from blur.imaging.strips import slices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from blur.imaging.arrays import ImageU8

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 3: 2, 4: 6}
"""PNG's colour types by the number of channels: grey, truecolour, truecolour with alpha
(11.2.1)."""
FAST_LEVEL = 2
"""ISA-L's compression level, 0 to 3. For photos, level 2 makes the smallest files."""
STRIP_BYTES = 1 << 22
ZLIB_HEADER = b"\x78\x01"
"""zlib's header (RFC 1950, 2.2): deflate with a window of 32 KiB, no dictionary, and the
compression level 0, "fastest algorithm"."""
RAW_DEFLATE = -15
"""The value of zlib's parameter `wbits` for a stream without a header and a checksum."""
LAST_BLOCK = b"\x03\x00"
"""An empty last block, which ends a deflate stream (RFC 1951, 3.2.6)."""
PROFILE_NAME = b"ICC Profile"


def write_png(
    image: ImageU8,
    icc_profile: bytes | None = None,
    threads: int = 2,
    *,
    compact: bool = False,
    smallest: bool = False,
) -> bytes:
    """Encode an image, uint8 (H, W, C) with 1, 3 or 4 channels, at least 1 x 1.

    With `compact`, the file is smaller, but encoding takes more time. With `smallest`, the file is
    even smaller, and encoding takes several times as long. The file does not depend on `threads`.
    """
    height, width, channels = image.shape
    header = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    parts = [SIGNATURE, *_chunk(b"IHDR", header)]
    if icc_profile is not None:
        parts += _chunk(b"iCCP", PROFILE_NAME + b"\0\0" + zlib.compress(icc_profile))
    strips = CompactStrips(image, smallest=smallest) if compact or smallest else None
    parts += _image_data(image, threads, strips)
    parts += _chunk(b"IEND", b"")
    return b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> tuple[bytes, ...]:
    """Return the parts of a chunk (5.3): length, type, data, CRC of type and data."""
    crc = isal_zlib.crc32(data, isal_zlib.crc32(kind))
    return struct.pack(">I", len(data)), kind, data, struct.pack(">I", crc)


def _image_data(image: ImageU8, threads: int, strips: CompactStrips | None) -> Iterator[bytes]:
    """Yield the bytes of an IDAT chunk for each strip, and of a last one with the checksum.

    The data of all chunks together is one zlib stream.
    """
    if strips is not None:
        rows, deflate = strips.rows, strips.deflate
    else:
        rows = slices(image.shape[0], max(1, STRIP_BYTES // image[0].size))
        deflate = partial(_deflate_fast, image)
    checksum, header = 1, ZLIB_HEADER
    with ThreadPoolExecutor(threads) as pool:
        for filtered, deflated in pool.map(deflate, rows):
            checksum = isal_zlib.adler32(filtered, checksum)
            yield from _chunk(b"IDAT", header + deflated)
            header = b""
    yield from _chunk(b"IDAT", LAST_BLOCK + struct.pack(">I", checksum))


def _deflate_fast(image: ImageU8, rows: slice) -> tuple[NDArray[np.uint8], bytes]:
    filtered = filter_up(image, rows)
    compressor = isal_zlib.compressobj(FAST_LEVEL, isal_zlib.DEFLATED, RAW_DEFLATE)
    return filtered, compressor.compress(filtered) + compressor.flush(isal_zlib.Z_FULL_FLUSH)


def filter_up(image: ImageU8, rows: slice) -> NDArray[np.uint8]:
    """Return the rows filtered by "Up", (h, 1 + W * C); each row starts with the filter's type."""
    top, bottom = rows.start, rows.stop
    samples = image.reshape(image.shape[0], -1)
    filtered = np.empty((bottom - top, 1 + samples.shape[1]), np.uint8)
    filtered[:, 0] = UP
    filtered[0, 1:] = samples[top] - samples[top - 1] if top else samples[0]
    np.subtract(samples[top + 1 : bottom], samples[top : bottom - 1], out=filtered[1:, 1:])
    return filtered

"""Read a photo's size from the first bytes of its file, without a decoder.

A call's price can depend on the size, and the price is computed before the API key is checked.
Reading the size must therefore be fast, so no library for images is used. The size is read only
from JPEG, PNG and WebP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from blur.imaging.decode.jpeg_header import read_frame_size

if TYPE_CHECKING:
    from collections.abc import Callable

    Size = tuple[int, int]

_WEBP_14_BITS = 0x3FFF


def read_header_size(data: bytes) -> Size | None:
    """Return the width and height of a stored image, or None if they cannot be read."""
    for signature, offset, read in _READERS:
        if data.startswith(signature, offset):
            size = read(data)
            return size if size and min(size) > 0 else None
    return None


def _read_png(data: bytes) -> Size | None:
    """Read IHDR, which is the first chunk (PNG, third edition, 11.2.1)."""
    return _numbers(data, 16, 20, size=4, order="big") if data.startswith(b"IHDR", 12) else None


def _read_webp(data: bytes) -> Size | None:
    """Read the first chunk: VP8X, VP8L or VP8 (RFC 9649, 2.5 to 2.7; RFC 6386, 9.1)."""
    kind = data[12:16]
    if kind == b"VP8X":
        canvas = _numbers(data, 24, 27, size=3)
        return canvas and (canvas[0] + 1, canvas[1] + 1)
    if kind == b"VP8L" and data.startswith(b"\x2f", 20):
        halves = _numbers(data, 21, 23, size=2)
        bits = halves[0] | halves[1] << 16 if halves else 0
        return halves and ((bits & _WEBP_14_BITS) + 1, (bits >> 14 & _WEBP_14_BITS) + 1)
    if kind == b"VP8 " and data.startswith(b"\x9d\x01\x2a", 23):
        frame = _numbers(data, 26, 28, size=2)
        return frame and (frame[0] & _WEBP_14_BITS, frame[1] & _WEBP_14_BITS)
    return None


def _numbers(
    data: bytes, first: int, second: int, *, size: int, order: Literal["little", "big"] = "little"
) -> Size | None:
    """Return two unsigned integers at two offsets, or None if the data ends before them."""
    if len(data) < second + size:
        return None
    width, height = (int.from_bytes(data[at : at + size], order) for at in (first, second))
    return width, height


_READERS: tuple[tuple[bytes, int, Callable[[bytes], Size | None]], ...] = (
    (b"\xff\xd8\xff", 0, read_frame_size),
    (b"\x89PNG\r\n\x1a\n", 0, _read_png),
    (b"WEBP", 8, _read_webp),
)
"""For each format: a signature, its position, and the function that reads the size."""

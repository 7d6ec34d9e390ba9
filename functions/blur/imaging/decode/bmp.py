"""A BMP: bit masks and run lengths that Pillow does not read, or reads wrongly.

The format is documented by Microsoft: BITMAPINFOHEADER to BITMAPV5HEADER, and "Bitmap
Compression", https://learn.microsoft.com/windows/win32/gdi/bitmap-storage.
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile

from blur.errors import InvalidImageError
from blur.imaging.decode.source import Source
from blur.imaging.decode.unsupported import unsupported_error
from blur.imaging.strips import for_each_strip

_RLE8, _RLE4, _MASKS, _JPEG, _PNG, _MASKS_WITH_ALPHA = 1, 2, 3, 4, 5, 6
_INFO_BYTES, _V2_BYTES, _V3_BYTES, _V5_BYTES = 40, 52, 56, 124
_FILE_BYTES = 14
_EMBEDDED = b"DEBM"
"""`PROFILE_EMBEDDED`, as a number in little endian."""
_WORDS = {16: "<u2", 32: "<u4"}
_SHORT_BITS = 16
_DELTA, _LAST = 2, 1


class Header(NamedTuple):
    """A BITMAPINFOHEADER, or the same part of a later one."""

    size: int
    width: int
    height: int
    """Negative where the first row is the upper one."""
    bits: int
    compression: int
    colours: int
    pixels: int
    """Where in the file pixels begin."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return abs(self.height), self.width


class BmpSource(Source):
    """A BMP that Pillow reads, with the profile of a BITMAPV5HEADER."""

    def __init__(self, data: bytes) -> None:
        """Read the header."""
        super().__init__(BmpImageFile(BytesIO(data)))
        profile = _profile(data)
        if profile:
            self.image.info["icc_profile"] = profile


class _OwnSource(Source):
    """A BMP that is decoded here."""

    def __init__(self, data: bytes, header: Header) -> None:
        self._data, self._header = data, header

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._header.width, abs(self._header.height)

    @property
    def profile(self) -> bytes | None:
        """The profile of a BITMAPV5HEADER."""
        return _profile(self._data)

    @property
    def orientation(self) -> int:
        """1: a BMP has no EXIF data."""
        return 1

    def load(self) -> Image.Image:
        """Decode."""
        pixels = self._pixels()
        image = Image.fromarray(pixels if self._header.height < 0 else pixels[::-1])
        image.info["icc_profile"] = self.profile
        return image

    def _pixels(self) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        raise NotImplementedError


class BitmaskSource(_OwnSource):
    """Samples in words of 16 or 32 bits, by any masks."""

    def _pixels(self) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        header = self._header
        masks = [mask for mask in _masks(self._data, header) if mask]
        rows, columns = header.shape
        row_bytes = (columns * header.bits + 31) // 32 * 4
        raw = np.frombuffer(self._data, np.uint8, rows * row_bytes, header.pixels)
        words = raw.reshape(rows, row_bytes).view(_WORDS[header.bits])[:, :columns]
        pixels = np.empty((rows, columns, len(masks)), np.uint8)

        def unpack(strip: slice) -> None:
            for channel, mask in enumerate(masks):
                shift = (mask & -mask).bit_length() - 1
                full = mask >> shift
                value = (words[strip] & mask) >> shift
                pixels[strip, :, channel] = (value * np.float64(255 / full) + 0.5).astype(np.uint8)

        for_each_strip(pixels.shape, unpack)
        return pixels


class RleSource(_OwnSource):
    """Palette indices in run lengths, whose rows can have pixels in excess."""

    def _pixels(self) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        header = self._header
        start = _FILE_BYTES + header.size
        colours = min(header.colours or 1 << header.bits, 256)
        palette = np.zeros((256, 4), np.uint8)
        stored = np.frombuffer(self._data, np.uint8, 4 * colours, start)
        palette[:colours] = stored.reshape(colours, 4)
        indices = decode_rle(
            self._data, header.pixels, header.shape, is_rle4=header.compression == _RLE4
        )
        return np.ascontiguousarray(palette[:, 2::-1])[indices]


def open_bmp(data: bytes) -> Source:
    """Return the file with what decodes it.

    Raises:
        InvalidImageError: it is of a kind that is not read.

    """
    header = read_header(data)
    if header is None:
        return BmpSource(data)
    if header.compression in {_JPEG, _PNG}:
        kind = "A BMP that holds a JPEG or a PNG"
        raise unsupported_error(kind, "JPEG or PNG")
    if header.compression in {_MASKS, _MASKS_WITH_ALPHA} and header.bits in _WORDS:
        colours, alpha = _masks(data, header)[:3], _masks(data, header)[3:]
        is_possible = all(map(_is_mask, colours))
        if is_possible and header.bits == _SHORT_BITS and any(alpha):
            return BitmaskSource(data, header)  # Pillow drops this alpha
        try:
            return BmpSource(data)
        except OSError:
            if is_possible:
                return BitmaskSource(data, header)
            raise
    if header.compression in {_RLE8, _RLE4} and header.width > 0:
        return RleSource(data, header)
    return BmpSource(data)


def read_header(data: bytes) -> Header | None:
    """Return the header; None for the short one of OS/2, or one that is cut short."""
    if len(data) < _FILE_BYTES + _INFO_BYTES:
        return None
    size, width, height = struct.unpack_from("<L2l", data, _FILE_BYTES)
    if size < _INFO_BYTES:
        return None
    bits, compression = struct.unpack_from("<HL", data, _FILE_BYTES + 14)
    (colours,) = struct.unpack_from("<L", data, _FILE_BYTES + 32)
    (pixels,) = struct.unpack_from("<L", data, 10)
    return Header(size, width, height, bits, compression, colours, pixels)


def _masks(data: bytes, header: Header) -> tuple[int, ...]:
    """Return the masks of red, green, blue and alpha; they follow a header that lacks them."""
    has_alpha = header.size >= _V3_BYTES or header.compression == _MASKS_WITH_ALPHA
    return struct.unpack_from(f"<{4 if has_alpha else 3}L", data, _FILE_BYTES + _INFO_BYTES)


def _is_mask(mask: int) -> bool:
    """Return whether the bits of a mask are one piece."""
    piece = mask // (mask & -mask) if mask else 0
    return piece > 0 and piece & (piece + 1) == 0


def _profile(data: bytes) -> bytes | None:
    """Return the profile that a BITMAPV5HEADER embeds."""
    header = read_header(data)
    if header is None or header.size < _V5_BYTES or len(data) < _FILE_BYTES + _V5_BYTES:
        return None
    if data[_FILE_BYTES + 56 : _FILE_BYTES + 60] != _EMBEDDED:
        return None
    start, size = struct.unpack_from("<2L", data, _FILE_BYTES + 112)
    return data[_FILE_BYTES + start : _FILE_BYTES + start + size] or None


def decode_rle(
    data: bytes, at: int, shape: tuple[int, int], *, is_rle4: bool
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return the indices (H, W), lowest row first, of RLE8 or RLE4; 0 where none are stored.

    Pixels beyond the end of a row are dropped: encoders pad rows of odd width.

    Raises:
        InvalidImageError: the file ends before its picture.

    """
    rows, columns = shape
    canvas = bytearray(rows * columns)
    row = column = 0
    while row < rows:
        if at + 2 > len(data):
            message = "The BMP image is cut short. Send the whole file."
            raise InvalidImageError(message)
        count, value = data[at], data[at + 1]
        at += 2
        if count:
            pair = bytes((value >> 4, value & 15)) if is_rle4 else bytes((value, value))
            run = pair * ((count + 1) // 2)
        elif value == 0:
            row, column = row + 1, 0
            continue
        elif value == _LAST:
            break
        elif value == _DELTA:
            column, row, at = column + data[at], row + data[at + 1], at + 2
            continue
        else:
            count = value
            stored = (count + 1) // 2 if is_rle4 else count
            run = data[at : at + stored]
            at += stored + stored % 2
            if is_rle4:
                run = bytes(half for byte in run for half in (byte >> 4, byte & 15))
        fits = max(0, min(count, columns - column, len(run)))
        start = row * columns + column
        canvas[start : start + fits] = run[:fits]
        column += count
    return np.frombuffer(canvas, np.uint8).reshape(shape)

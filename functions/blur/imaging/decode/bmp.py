"""Decode BMP, including bit masks and run-length encoding that Pillow does not decode correctly.

The format is documented by Microsoft: BITMAPINFOHEADER to BITMAPV5HEADER, and "Bitmap
Compression", https://learn.microsoft.com/windows/win32/gdi/bitmap-storage.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile

from blur.errors import InvalidImageError
from blur.imaging.decode.source import Source
from blur.imaging.decode.unsupported import unsupported_error
from blur.imaging.strips import for_each_strip

_RLE8, _RLE4, _BITMASKS, _JPEG, _PNG, _ALPHA_BITMASKS = 1, 2, 3, 4, 5, 6
_INFO_BYTES, _V2_BYTES, _V3_BYTES, _V5_BYTES = 40, 52, 56, 124
_FILE_BYTES = 14
_EMBEDDED = b"DEBM"
"""The constant `PROFILE_EMBEDDED`, as bytes in little-endian order."""
_WORD_TYPES = {16: "<u2", 32: "<u4"}
_SHORT_BITS = 16
_DELTA, _END_OF_BITMAP = 2, 1


class Header(NamedTuple):
    """The fields of a BITMAPINFOHEADER, which are also the first fields of newer headers."""

    size: int
    width: int
    height: int
    """Negative if the rows are stored from top to bottom."""
    bits: int
    compression: int
    colours: int
    pixels: int
    """The offset of the pixels in the file."""

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


class _DecodedSource(Source, ABC):
    """A BMP that this module decodes."""

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
        """The EXIF orientation, which is always 1, because a BMP has no EXIF data."""
        return 1

    def load(self) -> Image.Image:
        """Decode the image, top row first."""
        pixels = self._pixels()
        image = Image.fromarray(pixels if self._header.height < 0 else pixels[::-1])
        image.info["icc_profile"] = self.profile
        return image

    @abstractmethod
    def _pixels(self) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        """Return the pixels of all rows, in the order of the file, (H, W, 3 or 4)."""


class BitmaskSource(_DecodedSource):
    """A BMP with samples in words of 16 or 32 bits, with any bit masks."""

    def _pixels(self) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        header = self._header
        masks = [mask for mask in _masks(self._data, header) if mask]
        rows, columns = header.shape
        row_bytes = (columns * header.bits + 31) // 32 * 4
        raw = np.frombuffer(self._data, np.uint8, rows * row_bytes, header.pixels)
        words = raw.reshape(rows, row_bytes).view(_WORD_TYPES[header.bits])[:, :columns]
        pixels = np.empty((rows, columns, len(masks)), np.uint8)

        def unpack(strip: slice) -> None:
            for channel, mask in enumerate(masks):
                shift = (mask & -mask).bit_length() - 1
                full_scale = mask >> shift
                values = (words[strip] & mask) >> shift
                pixels[strip, :, channel] = (values * np.float64(255 / full_scale) + 0.5).astype(
                    np.uint8
                )

        for_each_strip(pixels.shape, unpack)
        return pixels


class RleSource(_DecodedSource):
    """A BMP with run-length encoded palette indices."""

    def _pixels(self) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        header = self._header
        start = _FILE_BYTES + header.size
        colours = min(header.colours or 1 << header.bits, 256)
        palette = np.zeros((256, 4), np.uint8)
        entries = np.frombuffer(self._data, np.uint8, 4 * colours, start)
        palette[:colours] = entries.reshape(colours, 4)
        indices = decode_rle(
            self._data, header.pixels, header.shape, is_rle4=header.compression == _RLE4
        )
        return np.ascontiguousarray(palette[:, 2::-1])[indices]


def open_bmp(data: bytes) -> Source:
    """Return the `Source` that decodes this kind of BMP correctly.

    Raises:
        InvalidImageError: the BMP contains a JPEG or a PNG.

    """
    header = read_header(data)
    if header is None:
        return BmpSource(data)
    if header.compression in {_JPEG, _PNG}:
        kind = "A BMP that contains a JPEG or a PNG"
        raise unsupported_error(kind, "JPEG or PNG")
    if header.compression in {_BITMASKS, _ALPHA_BITMASKS} and header.bits in _WORD_TYPES:
        colours, alpha = _masks(data, header)[:3], _masks(data, header)[3:]
        has_valid_masks = all(map(_is_contiguous, colours))
        if has_valid_masks and header.bits == _SHORT_BITS and any(alpha):
            return BitmaskSource(data, header)  # Pillow ignores the alpha mask
        try:
            return BmpSource(data)
        except OSError:
            if has_valid_masks:
                return BitmaskSource(data, header)
            raise
    if header.compression in {_RLE8, _RLE4} and header.width > 0:
        return RleSource(data, header)
    return BmpSource(data)


def read_header(data: bytes) -> Header | None:
    """Return the header, or None if the header is truncated or is the short header of OS/2."""
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
    """Return the masks for red, green and blue, and for alpha if the header has this mask."""
    has_alpha = header.size >= _V3_BYTES or header.compression == _ALPHA_BITMASKS
    return struct.unpack_from(f"<{4 if has_alpha else 3}L", data, _FILE_BYTES + _INFO_BYTES)


def _is_contiguous(mask: int) -> bool:
    """Return whether a mask has at least one set bit, and its set bits are contiguous."""
    shifted = mask // (mask & -mask) if mask else 0
    return shifted > 0 and shifted & (shifted + 1) == 0


def _profile(data: bytes) -> bytes | None:
    """Return the profile that is embedded with a BITMAPV5HEADER, or None."""
    header = read_header(data)
    if header is None or header.size < _V5_BYTES or len(data) < _FILE_BYTES + _V5_BYTES:
        return None
    if data[_FILE_BYTES + 56 : _FILE_BYTES + 60] != _EMBEDDED:
        return None
    start, size = struct.unpack_from("<2L", data, _FILE_BYTES + 112)
    return data[_FILE_BYTES + start : _FILE_BYTES + start + size] or None


def decode_rle(
    data: bytes, offset: int, shape: tuple[int, int], *, is_rle4: bool
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Decode RLE8 or RLE4 to palette indices, (H, W), bottom row first; skipped pixels are 0.

    Pixels after the end of a row are dropped, because encoders add a pixel to rows of odd width.

    Raises:
        InvalidImageError: the file ends before the end of the image.

    """
    rows, columns = shape
    canvas = bytearray(rows * columns)
    row = column = 0
    while row < rows:
        if offset + 2 > len(data):
            message = "The BMP image is truncated. Send the complete file."
            raise InvalidImageError(message)
        count, value = data[offset], data[offset + 1]
        offset += 2
        if count:
            pair = bytes((value >> 4, value & 15)) if is_rle4 else bytes((value, value))
            run = pair * ((count + 1) // 2)
        elif value == 0:
            row, column = row + 1, 0
            continue
        elif value == _END_OF_BITMAP:
            break
        elif value == _DELTA:
            column, row = column + data[offset], row + data[offset + 1]
            offset += 2
            continue
        else:
            count = value
            length = (count + 1) // 2 if is_rle4 else count
            run = data[offset : offset + length]
            offset += length + length % 2
            if is_rle4:
                run = bytes(index for byte in run for index in (byte >> 4, byte & 15))
        visible = max(0, min(count, columns - column, len(run)))
        start = row * columns + column
        canvas[start : start + visible] = run[:visible]
        column += count
    return np.frombuffer(canvas, np.uint8).reshape(shape)

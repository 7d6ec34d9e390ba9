"""Decode PNG: the decoder gets only the chunks with pixels; this module reads the colour chunks.

The gamma and the primaries become a `ColourSpace`, which `colour_space.to_8bit` applies.

Like libpng, this module ignores ancillary chunks with an invalid CRC, length or content (PNG, third
edition, 13.2 and 5.4). Text chunks are never read.
"""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL.PngImagePlugin import PngImageFile

from blur.errors import InvalidImageError
from blur.imaging.decode.colour_space import ADOBE_RGB_SPACE, ColourSpace, from_cicp
from blur.imaging.decode.icc import ADOBE_RGB, BT2020, DISPLAY_P3, SRGB, Primaries
from blur.imaging.decode.limits import check_png
from blur.imaging.decode.orientation import read_orientation
from blur.imaging.decode.source import Source, bgr_to_rgb
from blur.imaging.decode.unsupported import unsupported_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"IEND\xaeB`\x82"
"""The last chunk's type and CRC, which every complete file contains (11.2.5)."""
MAX_PROFILE_BYTES = 8_000_000
"""The maximum size of an inflated profile. libpng has the same limit."""
_PIXEL_CHUNKS = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_METADATA_BYTES = {b"cICP": 4, b"iCCP": None, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32, b"eXIf": None}
"""The chunks that this module reads, and their lengths; None allows any length."""
_KEY_BYTES = {0: 2, 2: 6}
"""The length of tRNS by colour type: 0 is grey, 2 is truecolour. With a palette, the length
varies."""
_PALETTE = 3
_DEEP_BITS = 16
_SCALE = 100_000
"""The scale of the integers in gAMA and cHRM (11.3.2)."""
_SRGB_EXPONENT = 1 / 0.45455
_EXPONENT_TOLERANCE = 0.05
"""PNG encoders store 0.45455, 0.45 or 0.46 for sRGB's curve."""
_CHROMATICITY_TOLERANCE = 0.002
"""The maximum difference between chromaticities that count as equal: files contain rounded
values."""


class PngSource(Source):
    """A PNG file, of which Pillow gets only the chunks with pixels."""

    def __init__(self, data: bytes) -> None:
        """Read the header and the metadata of the file.

        Raises:
            InvalidImageError: the file has too many chunks, or is an Apple CgBI file.

        """
        check_png(data)
        if data.startswith(b"CgBI", 12):
            kind = "Apple's CgBI variant of PNG"
            raise unsupported_error(kind, "a standard PNG")
        metadata, pixels = _read_metadata(data), b"".join(_pixel_chunks(data))
        self._is_complete = END in data
        self._data = SIGNATURE + pixels
        super().__init__(PngImageFile(BytesIO(self._data)))
        self._is_16bit = data[24] == _DEEP_BITS
        self._orientation = read_orientation(metadata.get(b"eXIf", b""))
        self.colour_space = _colour_space(metadata)
        profile = _read_profile(metadata.get(b"iCCP", b""))
        if profile and b"cICP" not in metadata:
            self.image.info["icc_profile"] = profile
        elif b"sRGB" in metadata and b"cICP" not in metadata:
            self.colour_space = None

    @property
    def orientation(self) -> int:
        """The orientation in the eXIf chunk."""
        return self._orientation

    def load(self) -> Image.Image:
        """Decode the image; reject a file without its last chunk, which Pillow would accept."""
        image = super().load()
        if not self._is_complete:
            message = "The PNG image is truncated. Send the complete file."
            raise InvalidImageError(message)
        return image

    def load_16bit(self) -> NDArray[np.uint16] | None:
        """Decode with OpenCV to 16 bits; Pillow would decode to 8 bits.

        Return None if the samples do not have 16 bits, one colour is transparent, or the file is
        broken.
        """
        if not self._is_16bit or not self._is_complete or "transparency" in self.image.info:
            return None
        samples = cv2.imdecode(np.frombuffer(self._data, np.uint8), cv2.IMREAD_UNCHANGED)
        if samples is None or samples.dtype != np.uint16:
            return None  # Pillow then decodes the file, or reports the error
        return bgr_to_rgb(samples)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the type of each chunk, and the start and end of its data.

    The data of the last chunk can be truncated.
    """
    offset = len(SIGNATURE)
    while offset + 8 <= len(data):
        end = offset + 8 + int.from_bytes(data[offset : offset + 4])
        yield data[offset + 4 : offset + 8], offset + 8, end
        offset = end + 4


def _pixel_chunks(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    palette_size = 0
    for kind, start, end in _chunks(data):
        if kind == b"PLTE":
            palette_size = (end - start) // 3
        is_key = kind == b"tRNS" and _is_valid_key(data[25], palette_size, end - start)
        if kind in _PIXEL_CHUNKS or (is_key and _has_valid_crc(data, start, end)):
            yield view[start - 8 : end + 4]


def _is_valid_key(colour_type: int, palette_size: int, length: int) -> bool:
    """Return whether the length of a tRNS chunk is valid (11.3.1.1, 5.6).

    With a palette, tRNS must follow PLTE; without a PLTE before it, `palette_size` is 0.
    """
    if colour_type == _PALETTE:
        return 0 < length <= palette_size
    return length == _KEY_BYTES.get(colour_type)


def _read_metadata(data: bytes) -> dict[bytes, bytes]:
    """Return the data of the first valid chunk of each type in `_METADATA_BYTES`.

    Colour chunks must precede the palette and the pixels (5.6).
    """
    metadata = dict[bytes, bytes]()
    precedes_pixels = True
    for kind, start, end in _chunks(data):
        precedes_pixels = precedes_pixels and kind not in {b"PLTE", b"IDAT"}
        length = _METADATA_BYTES.get(kind, 0)
        if length == 0 or kind in metadata or length not in {None, end - start}:
            continue
        if (precedes_pixels or kind == b"eXIf") and _has_valid_crc(data, start, end):
            metadata[kind] = data[start:end]
    return metadata


def _has_valid_crc(data: bytes, start: int, end: int) -> bool:
    return zlib.crc32(memoryview(data)[start - 4 : end]) == int.from_bytes(data[end : end + 4])


def _read_profile(chunk: bytes) -> bytes | None:
    """Return the profile in an iCCP chunk (11.3.2.3); None if the profile is broken or too long."""
    name, _, compressed = chunk.partition(b"\0")
    if not name or compressed[:1] != b"\0":
        return None
    decompressor = zlib.decompressobj()
    try:
        profile = decompressor.decompress(compressed[1:], MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if decompressor.eof else None


def _colour_space(metadata: dict[bytes, bytes]) -> ColourSpace | None:
    """Return the colour space from cICP, or from gAMA and cHRM (11.3.2 and 12.4)."""
    if b"cICP" in metadata:
        primaries, transfer, _, _ = metadata[b"cICP"]
        return from_cicp(primaries, transfer)
    (gamma,) = struct.unpack(">L", metadata.get(b"gAMA", bytes(4)))
    if gamma == 0:
        return None
    return _gamma_space(gamma / _SCALE, _read_primaries(metadata.get(b"cHRM")))


def _gamma_space(gamma: float, primaries: Primaries | None) -> ColourSpace:
    """Return the colour space of gAMA and cHRM; values close to a standard become that standard."""
    standards = (SRGB, DISPLAY_P3, BT2020, ADOBE_RGB)
    standard = next((one for one in standards if _are_close(one, primaries)), None)
    known_primaries = standard or primaries or SRGB
    exponent = 1 / gamma
    if abs(exponent - _SRGB_EXPONENT) < _EXPONENT_TOLERANCE:
        return ADOBE_RGB_SPACE if known_primaries is ADOBE_RGB else ColourSpace(known_primaries)
    return ColourSpace(known_primaries, exponent=exponent)


def _are_close(one: Primaries, other: Primaries | None) -> bool:
    return other is not None and bool(
        np.abs(np.subtract(one, other)).max() < _CHROMATICITY_TOLERANCE
    )


def _read_primaries(chunk: bytes | None) -> Primaries | None:
    """Return the chromaticities in a cHRM chunk; None if they are missing or impossible."""
    if chunk is None:
        return None
    values = [value / _SCALE for value in struct.unpack(">8L", chunk)]
    white, red, green, blue = zip(values[::2], values[1::2], strict=True)
    primaries = Primaries(red, green, blue, white)
    return primaries if primaries.is_possible else None

"""A PNG: its pixels' chunks go to the decoder, and the others are read here, as far as needed.

An ancillary chunk whose CRC, length or contents are broken is left out, as libpng does it (PNG,
third edition, 13.2 and 5.4). Texts are never read.
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
from blur.imaging.decode.colour_space import ColourSpace, from_cicp, from_gamma
from blur.imaging.decode.exif import read_orientation
from blur.imaging.decode.icc import Primaries
from blur.imaging.decode.limits import check_png
from blur.imaging.decode.source import Source, bgr_to_rgb
from blur.imaging.decode.unsupported import unsupported_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END = b"IEND\xaeB`\x82"
"""The last chunk's type and CRC, the same in every whole file (11.2.5)."""
MAX_PROFILE_BYTES = 8_000_000
"""What a profile can inflate to, as in libpng."""
_PIXELS = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_FACTS = {b"cICP": 4, b"iCCP": None, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32, b"eXIf": None}
"""The chunks that are read here, and how long they are."""
_KEY_BYTES = {0: 2, 2: 6}
"""How long tRNS is, by colour type: grey and truecolour. A palette's is up to the palette's."""
_PALETTE = 3
_DEEP_BITS = 16
_UNIT = 100_000
"""Of gAMA and cHRM (11.3.2)."""


class PngSource(Source):
    """A PNG, of whose chunks Pillow sees those with pixels."""

    def __init__(self, data: bytes) -> None:
        """Read the header.

        Raises:
            InvalidImageError: the file has too many chunks, or is an Apple CgBI file.

        """
        check_png(data)
        if data.startswith(b"CgBI", 12):
            kind = "Apple's CgBI form of PNG"
            raise unsupported_error(kind, "an ordinary PNG")
        facts, pixels = _facts(data), b"".join(_pixel_chunks(data))
        self._is_whole = END in data
        self._data = SIGNATURE + pixels
        super().__init__(PngImageFile(BytesIO(self._data)))
        self._is_deep = data[24] == _DEEP_BITS
        self._orientation = read_orientation(facts.get(b"eXIf", b""))
        self.colour_space = _encoding(facts)
        profile = _profile(facts.get(b"iCCP", b""))
        if profile and b"cICP" not in facts:
            self.image.info["icc_profile"] = profile
        elif b"sRGB" in facts and b"cICP" not in facts:
            self.colour_space = None

    @property
    def orientation(self) -> int:
        """Return what the eXIf chunk has."""
        return self._orientation

    def load(self) -> Image.Image:
        """Decode, and refuse a file cut short after its last row, which Pillow takes for whole."""
        image = super().load()
        if not self._is_whole:
            message = "The PNG image is cut short: its last chunk is missing."
            raise InvalidImageError(message)
        return image

    def load_16bit(self) -> NDArray[np.uint16] | None:
        """Decode to 16 bits, by OpenCV: Pillow keeps eight of them in colour."""
        if not self._is_deep or not self._is_whole or "transparency" in self.image.info:
            return None
        samples = cv2.imdecode(np.frombuffer(self._data, np.uint8), cv2.IMREAD_UNCHANGED)
        if samples is None or samples.dtype != np.uint16:
            return None  # then Pillow finds what is wrong
        return bgr_to_rgb(samples)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield each chunk's type and where its data begin and end; the last can be cut short."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4])
        yield data[at + 4 : at + 8], at + 8, end
        at = end + 4


def _pixel_chunks(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    colours = 0
    for kind, start, end in _chunks(data):
        if kind == b"PLTE":
            colours = (end - start) // 3
        is_key = kind == b"tRNS" and _is_key(data[25], colours, end - start)
        if kind in _PIXELS or (is_key and _is_sound(data, start, end)):
            yield view[start - 8 : end + 4]


def _is_key(colour_type: int, colours: int, length: int) -> bool:
    """Return whether a tRNS chunk fits the picture (11.3.1.1); it follows the palette (5.6)."""
    if colour_type == _PALETTE:
        return 0 < length <= colours
    return length == _KEY_BYTES.get(colour_type)


def _facts(data: bytes) -> dict[bytes, bytes]:
    """Return the data of those chunks of `_FACTS` that are sound, the first of each.

    Those of colour have to precede the palette and the pixels (5.6).
    """
    facts = dict[bytes, bytes]()
    is_before = True
    for kind, start, end in _chunks(data):
        is_before = is_before and kind not in {b"PLTE", b"IDAT"}
        length = _FACTS.get(kind, 0)
        if length == 0 or kind in facts or length not in {None, end - start}:
            continue
        if (is_before or kind == b"eXIf") and _is_sound(data, start, end):
            facts[kind] = data[start:end]
    return facts


def _is_sound(data: bytes, start: int, end: int) -> bool:
    return zlib.crc32(memoryview(data)[start - 4 : end]) == int.from_bytes(data[end : end + 4])


def _profile(chunk: bytes) -> bytes | None:
    """Return the profile in an iCCP chunk (11.3.2.3); None where it is broken or too long."""
    name, _, packed = chunk.partition(b"\0")
    if not name or packed[:1] != b"\0":
        return None
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(packed[1:], MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if inflate.eof else None


def _encoding(facts: dict[bytes, bytes]) -> ColourSpace | None:
    """Return the encoding by cICP, or by gAMA and cHRM (11.3.2 and 12.4)."""
    if b"cICP" in facts:
        primaries, transfer, _, _ = facts[b"cICP"]
        return from_cicp(primaries, transfer)
    (gamma,) = struct.unpack(">L", facts.get(b"gAMA", bytes(4)))
    if gamma == 0:
        return None
    return from_gamma(gamma / _UNIT, _primaries(facts.get(b"cHRM")))


def _primaries(chunk: bytes | None) -> Primaries | None:
    """Return the chromaticities of a cHRM chunk; None where they cannot be."""
    if chunk is None:
        return None
    values = [value / _UNIT for value in struct.unpack(">8L", chunk)]
    white, red, green, blue = zip(values[::2], values[1::2], strict=True)
    primaries = Primaries(red, green, blue, white)
    return primaries if primaries.is_possible else None

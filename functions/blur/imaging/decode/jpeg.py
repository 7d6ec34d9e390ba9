"""A JPEG: what its header lacks or has in excess for Pillow, and one that ends without its EOI."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

import simplejpeg
from PIL.JpegImagePlugin import JpegImageFile

from blur.errors import InvalidImageError
from blur.imaging.decode.colour_space import ADOBE_RGB_SPACE, to_8bit
from blur.imaging.decode.exif import is_adobe_rgb, read_orientation
from blur.imaging.decode.limits import check_jpeg
from blur.imaging.decode.rgb import read_rgb_profile
from blur.imaging.decode.source import Source
from blur.imaging.decode.unsupported import unsupported_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blur.imaging.arrays import AlphaU8, RgbU8

_SOI, _EOI, _SOS = b"\xff\xd8", b"\xff\xd9", b"\xff\xda"
_START_OF_SCAN = 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
"""SOFn (ITU-T T.81, table B.1), and that of JPEG-LS (T.87, C.1.2.1)."""
_KINDS = {
    0xC3: "Lossless JPEG",
    0xC5: "Hierarchical JPEG",
    0xC6: "Hierarchical JPEG",
    0xC7: "Hierarchical JPEG",
    0xCB: "Lossless JPEG",
    0xCD: "Hierarchical JPEG",
    0xCE: "Hierarchical JPEG",
    0xCF: "Hierarchical JPEG",
    0xF7: "JPEG-LS",
}
_ARITHMETIC = (0xC9, 0xCA)
_PROGRESSIVE = (0xC2, 0xCA)
_BYTE_BITS = 8
_LEAST_BYTES = {b"JFIF": 14, b"Adobe": 12, b"ICC_PROFILE\0": 14}
"""What a segment needs to be one of these; a decoder passes over a shorter one."""
_TEXTS = (0xE1, 0xED, 0xFE)
"""APP1, which is EXIF and XMP, APP13, which is Photoshop's, and comments."""
_EXIF = b"Exif\0\0"
_COLOUR_SPACES = {1: "GRAY", 3: "RGB", 4: "CMYK"}
_COEFFICIENTS = 64


class _Segment(NamedTuple):
    kind: int
    start: int
    body: int
    end: int


class JpegSource(Source):
    """A JPEG; an ordinary one is decoded straight into an array."""

    def __init__(self, data: bytes) -> None:
        """Read the header.

        Raises:
            InvalidImageError: the file has too many segments or scans, or is of another kind.

        """
        check_jpeg(data)
        head = list(_segments(data))
        self._check_kind(data, head)
        self._is_cut = _is_cut(data, head)
        if self._is_cut:
            data += _EOI[1:] if data.endswith(_EOI[:1]) else _EOI
        exif = b"".join(
            data[one.body : one.end].removeprefix(_EXIF if number else b"")
            for number, one in enumerate(one for one in head if data.startswith(_EXIF, one.body))
        )
        self._orientation = read_orientation(exif)
        self._data = _without_texts(data, head)
        super().__init__(JpegImageFile(BytesIO(self._data)))
        if is_adobe_rgb(exif):
            self.colour_space = ADOBE_RGB_SPACE

    @property
    def orientation(self) -> int:
        """Return EXIF's."""
        return self._orientation

    def _check_kind(self, data: bytes, head: list[_Segment]) -> None:
        frame = next((one for one in head if one.kind in _FRAMES), None)
        self._frame = frame.kind if frame else 0
        self._components = tuple[int, ...]()
        if frame is None:
            return
        if frame.kind in _KINDS:
            raise unsupported_error(_KINDS[frame.kind], "8-bit JPEG")
        bits = data[frame.body]
        if bits != _BYTE_BITS:
            kind = f"{bits}-bit JPEG"
            raise unsupported_error(kind, "8-bit JPEG")
        self._components = tuple(data[frame.body + 6 : frame.end : 3])

    def read(self) -> tuple[RgbU8, AlphaU8 | None, bytes | None]:
        """Decode, strictly where the end of the image had to be added."""
        if self._is_cut:
            self._check_whole()
        pixels = self._quick()
        if pixels is None:
            return super().read()
        profile = read_rgb_profile(self.image)
        if profile is None and self.colour_space is not None:
            pixels, profile = to_8bit(pixels, self.colour_space)
        return pixels, None, profile

    def _quick(self) -> RgbU8 | None:
        """Decode an ordinary JPEG straight into an array, or leave it to Pillow.

        It is the same library underneath, but Pillow's own memory has to be copied out, which
        takes longer than decoding. Unusual and damaged files are left to Pillow.
        """
        if self.image.mode != "RGB":
            return None
        try:
            pixels: RgbU8 = simplejpeg.decode_jpeg(self._data, "RGB")
        except ValueError:
            return None
        return pixels

    def _check_whole(self) -> None:
        """Refuse a file that lacks more than its last marker."""
        is_whole = self._frame not in _ARITHMETIC and self._has_all_scans()
        try:
            if is_whole:
                simplejpeg.decode_jpeg(self._data, _COLOUR_SPACES[len(self._components)])
        except (ValueError, KeyError):
            is_whole = False
        if not is_whole:
            message = "The JPEG image is cut short. Send the whole file."
            raise InvalidImageError(message)

    def _has_all_scans(self) -> bool:
        """Return whether the scans hold all that the frame has (ITU-T T.81, G.1.1.1)."""
        missing = {component: set(range(_COEFFICIENTS)) for component in self._components}
        at = self._data.find(_SOS)
        while at >= 0:
            count = self._data[at + 4]
            first, last, bits = self._data[at + 5 + 2 * count : at + 8 + 2 * count]
            if bits & 0x0F == 0:  # the last bit of these coefficients
                for component in self._data[at + 5 : at + 5 + 2 * count : 2]:
                    missing.get(component, set()).difference_update(range(first, last + 1))
            at = self._data.find(_SOS, at + 2)
        return not any(missing.values())


def _segments(data: bytes) -> Iterator[_Segment]:
    """Yield the segments up to the first scan, which is the last of them."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:  # noqa: PLR2004 - what a marker begins with
        kind, body = data[at + 1], at + 4
        if kind == 0xFF:  # noqa: PLR2004 - a fill byte (T.81, B.1.1.2)
            at += 1
            continue
        end = body - 2 + int.from_bytes(data[body - 2 : body])
        yield _Segment(kind, at, body, end)
        if kind == _START_OF_SCAN or end < body:
            return
        at = end


def _is_cut(data: bytes, head: list[_Segment]) -> bool:
    """Return whether no end of image follows the first scan; compressed data contain none."""
    if data.rfind(_EOI) > data.rfind(_SOS):  # the quick answer for every photo
        return False
    return data.find(_EOI, head[-1].start if head else 0) < 0


def _without_texts(data: bytes, head: list[_Segment]) -> bytes:
    """Return the file without EXIF data, texts, and segments too short for what they claim."""
    parts, start = [], 0
    for one in head:
        is_short = any(
            data.startswith(name, one.body) and one.end - one.body < least
            for name, least in _LEAST_BYTES.items()
        )
        if is_short or one.kind in _TEXTS:
            parts.append(memoryview(data)[start : one.start])
            start = one.end
    return b"".join((*parts, memoryview(data)[start:])) if parts else data

"""Decode JPEG, including files without an end marker or with segments that Pillow cannot read."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import simplejpeg
from PIL.JpegImagePlugin import JpegImageFile

from blur.errors import InvalidImageError
from blur.imaging.decode.colour_space import ADOBE_RGB_SPACE, to_8bit
from blur.imaging.decode.exif import is_adobe_rgb
from blur.imaging.decode.jpeg_header import FRAMES, read_segments
from blur.imaging.decode.limits import check_jpeg
from blur.imaging.decode.orientation import read_orientation
from blur.imaging.decode.rgb import read_rgb_profile
from blur.imaging.decode.source import Source
from blur.imaging.decode.unsupported import unsupported_error

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8
    from blur.imaging.decode.jpeg_header import Segment

_SOI, _EOI, _SOS = b"\xff\xd8", b"\xff\xd9", b"\xff\xda"
_UNSUPPORTED_FRAMES = {
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
_MIN_BYTES = {b"JFIF": 14, b"Adobe": 12, b"ICC_PROFILE\0": 14}
"""The minimum length of a segment's content in bytes, by the segment's signature. Decoders ignore
shorter segments."""
_METADATA = (0xE1, 0xED, 0xFE)
"""The segments with metadata: APP1 (EXIF and XMP), APP13 (Photoshop) and comments."""
_EXIF = b"Exif\0\0"
_COLOUR_SPACES = {1: "GRAY", 3: "RGB", 4: "CMYK"}
_COEFFICIENTS = 64
_MAX_REDUCTION = 8
"""With this reduction, each block of 8 x 8 pixels is decoded to one pixel, the block's mean."""


class JpegSource(Source):
    """A JPEG file. simplejpeg decodes ordinary files, and Pillow decodes all other files."""

    def __init__(self, data: bytes) -> None:
        """Read the header.

        Raises:
            InvalidImageError: the file has too many segments or scans, or is a kind of JPEG that is
                not supported.

        """
        check_jpeg(data)
        header = list(read_segments(data))
        self._check_kind(data, header)
        self._lacks_end = _lacks_end(data, header)
        if self._lacks_end:
            data += _EOI[1:] if data.endswith(_EOI[:1]) else _EOI
        exif = b"".join(
            data[segment.body : segment.end].removeprefix(_EXIF if number else b"")
            for number, segment in enumerate(
                segment for segment in header if data.startswith(_EXIF, segment.body)
            )
        )
        self._orientation = read_orientation(exif)
        self._data = _strip_metadata(data, header)
        super().__init__(JpegImageFile(BytesIO(self._data)))
        if is_adobe_rgb(exif):
            self.colour_space = ADOBE_RGB_SPACE

    @property
    def orientation(self) -> int:
        """The EXIF orientation."""
        return self._orientation

    def reduce(self, factor: int) -> None:
        """Let `read` return an image whose sides are smaller by this factor, at most 8.

        The decoder then uses only the lowest frequencies of each block, which is faster.
        """
        self.reduction = min(factor, _MAX_REDUCTION)

    def _check_kind(self, data: bytes, header: list[Segment]) -> None:
        frame = next((segment for segment in header if segment.kind in FRAMES), None)
        self._frame = frame.kind if frame else 0
        self._components = tuple[int, ...]()
        if frame is None:
            return
        if frame.kind in _UNSUPPORTED_FRAMES:
            raise unsupported_error(_UNSUPPORTED_FRAMES[frame.kind], "8-bit JPEG")
        bits = data[frame.body]
        if bits != _BYTE_BITS:
            kind = f"{bits}-bit JPEG"
            raise unsupported_error(kind, "8-bit JPEG")
        self._components = tuple(data[frame.body + 6 : frame.end : 3])

    def read(self) -> tuple[RgbU8, AlphaU8 | None, bytes | None]:
        """Decode the image. If the end marker is missing, check that no other data is missing."""
        if self._lacks_end:
            self._check_complete()
        pixels = self._decode_fast()
        if pixels is None:
            return super().read()
        profile = read_rgb_profile(self.image)
        if profile is None and self.colour_space is not None:
            pixels, profile = to_8bit(pixels, self.colour_space)
        return pixels, None, profile

    def _decode_fast(self) -> RgbU8 | None:
        """Decode an ordinary JPEG with simplejpeg; return None for unusual and damaged files.

        Pillow also decodes with libjpeg-turbo, but copying Pillow's image into an array takes
        longer than decoding.
        """
        if self.image.mode == "RGB":
            width, height = self.size
            smallest = {
                "min_height": -(-height // self.reduction),
                "min_width": -(-width // self.reduction),
                "min_factor": self.reduction,
            }
            try:
                pixels: RgbU8 = simplejpeg.decode_jpeg(self._data, "RGB", **smallest)
            except ValueError:
                pass
            else:
                return pixels
        self.reduction = 1
        return None

    def _check_complete(self) -> None:
        """Accept a file that lacks only its end marker; reject other truncated files."""
        is_complete = self._frame not in _ARITHMETIC and self._has_all_scans()
        try:
            if is_complete:
                simplejpeg.decode_jpeg(self._data, _COLOUR_SPACES[len(self._components)])
        except (ValueError, KeyError):
            is_complete = False
        if not is_complete:
            message = "The JPEG image is truncated. Send the complete file."
            raise InvalidImageError(message)

    def _has_all_scans(self) -> bool:
        """Return whether the scans have all of the frame's coefficients (ITU-T T.81, G.1.1.1)."""
        missing = {component: set(range(_COEFFICIENTS)) for component in self._components}
        scan = self._data.find(_SOS)
        while scan >= 0:
            count = self._data[scan + 4]
            first, last, bits = self._data[scan + 5 + 2 * count : scan + 8 + 2 * count]
            if bits & 0x0F == 0:  # this scan has the lowest bit of the coefficients
                for component in self._data[scan + 5 : scan + 5 + 2 * count : 2]:
                    missing.get(component, set()).difference_update(range(first, last + 1))
            scan = self._data.find(_SOS, scan + 2)
        return not any(missing.values())


def _lacks_end(data: bytes, header: list[Segment]) -> bool:
    """Return whether the end marker is missing. Compressed data cannot contain this marker."""
    if data.rfind(_EOI) > data.rfind(_SOS):  # a fast check for ordinary photos
        return False
    return data.find(_EOI, header[-1].start if header else 0) < 0


def _strip_metadata(data: bytes, header: list[Segment]) -> bytes:
    """Return the file without metadata, and without segments that are shorter than allowed."""
    parts, start = [], 0
    for segment in header:
        is_too_short = any(
            data.startswith(signature, segment.body) and segment.end - segment.body < min_bytes
            for signature, min_bytes in _MIN_BYTES.items()
        )
        if is_too_short or segment.kind in _METADATA:
            parts.append(memoryview(data)[start : segment.start])
            start = segment.end
    return b"".join((*parts, memoryview(data)[start:])) if parts else data

"""Which format a file is in, by its content and never by its name, and what opens it.

Pillow's plugins are called directly rather than through `Image.open`, which guards against
decompression bombs with a module global and a warning, and takes formats that are not offered.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple, TypeAlias

from blur.errors import InvalidImageError
from blur.imaging.decode.jpeg import JpegSource
from blur.imaging.decode.png import PngSource
from blur.imaging.decode.source import Source
from blur.imaging.decode.unsupported import detect_unsupported

Opener: TypeAlias = Callable[[bytes], Source]


class InputFormat(NamedTuple):
    """A format's name, and what reads the header of such a file."""

    name: str
    open: Opener


# What only some photos need is imported with the first of them: few cold starts see one.


def _open_webp(data: bytes) -> Source:
    from PIL.WebPImagePlugin import WebPImageFile  # noqa: PLC0415

    return Source(WebPImageFile(BytesIO(data)))


def _open_gif(data: bytes) -> Source:
    from blur.imaging.decode.gif import GifSource  # noqa: PLC0415

    return GifSource(data)


def _open_bmp(data: bytes) -> Source:
    from blur.imaging.decode.bmp import open_bmp  # noqa: PLC0415

    return open_bmp(data)


def _open_tiff(data: bytes) -> Source:
    from blur.imaging.decode.tiff import open_tiff  # noqa: PLC0415

    return open_tiff(data)


def _open_heic(data: bytes) -> Source:
    from blur.imaging.decode.heic import HeicSource  # noqa: PLC0415

    return HeicSource(data)


def _open_avif(data: bytes) -> Source:
    from blur.imaging.decode.avif import AvifSource  # noqa: PLC0415

    return AvifSource(data)


_GIF = InputFormat("GIF", _open_gif)
_TIFF = InputFormat("TIFF", _open_tiff)
SIGNATURES: tuple[tuple[bytes, int, InputFormat], ...] = (
    (b"\xff\xd8\xff", 0, InputFormat("JPEG", JpegSource)),
    (b"\x89PNG\r\n\x1a\n", 0, InputFormat("PNG", PngSource)),
    (b"WEBP", 8, InputFormat("WebP", _open_webp)),
    (b"GIF87a", 0, _GIF),
    (b"GIF89a", 0, _GIF),
    (b"BM", 0, InputFormat("BMP", _open_bmp)),
    (b"II*\x00", 0, _TIFF),
    (b"MM\x00*", 0, _TIFF),
    (b"II+\x00", 0, _TIFF),
    (b"MM\x00+", 0, _TIFF),
)
"""Signature, its position, and the format. An MPO file begins with an ordinary JPEG,
which is the picture."""

BRANDS: tuple[tuple[frozenset[bytes], InputFormat], ...] = (
    (
        frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}),
        InputFormat("HEIC", _open_heic),
    ),
    (frozenset({b"avif", b"avis"}), InputFormat("AVIF", _open_avif)),
)
"""Files made of boxes name what they hold among their brands (ISO/IEC 14496-12, 4.3)."""
MAX_FTYP_BYTES = 256
"""Real files list a handful of brands."""

_FORMATS = [one for _, _, one in SIGNATURES] + [one for _, one in BRANDS]
INPUT_FORMATS = tuple(dict.fromkeys(one.name for one in _FORMATS))
"""The names of the formats that are read."""
INPUT_FORMAT_NAMES = ", ".join(INPUT_FORMATS)


def detect_format(data: bytes) -> InputFormat:
    """Return the format of a file.

    Raises:
        InvalidImageError: the format is not supported; the message names it if it is known.

    """
    for signature, offset, known in SIGNATURES:
        if data.startswith(signature, offset):
            return known
    brands = _brands(data)
    for some, known in BRANDS:
        if some & brands:
            return known
    message = f"{_what_is_wrong(data)} Send one of: {INPUT_FORMAT_NAMES}."
    raise InvalidImageError(message)


def _what_is_wrong(data: bytes) -> str:
    if not data:
        return "The image is empty."
    name = detect_unsupported(data)
    return "Unsupported image format." if name is None else f"{name} is not supported."


def _brands(data: bytes) -> frozenset[bytes]:
    """Return the major and the compatible brands; none where there is no `ftyp` box."""
    if not data.startswith(b"ftyp", 4):
        return frozenset()
    end = min(int.from_bytes(data[:4]), MAX_FTYP_BYTES)
    return frozenset(data[at : at + 4] for at in (8, *range(16, end - 3, 4)))

"""Detect the format of a file by its content, never by its name, and open it.

Pillow's plugins are called directly: `Image.open` checks for decompression bombs only with a global
limit and a warning, and accepts formats that we do not support.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple, TypeAlias

from blur.errors import UnsupportedImageError
from blur.imaging.decode.jpeg import JpegSource
from blur.imaging.decode.png import PngSource
from blur.imaging.decode.source import Source
from blur.imaging.decode.unsupported import detect_unsupported

Opener: TypeAlias = Callable[[bytes], Source]


class InputFormat(NamedTuple):
    """A format's name, and the function that reads a file's header."""

    name: str
    open: Opener


# The modules of rarer formats are imported when the first photo in the format is opened. This keeps
# cold starts short.


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
"""A signature, its position, and the format. An MPO file begins with an ordinary JPEG, so its
signature is JPEG's."""

BRANDS: tuple[tuple[frozenset[bytes], InputFormat], ...] = (
    (
        frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}),
        InputFormat("HEIC", _open_heic),
    ),
    (frozenset({b"avif", b"avis"}), InputFormat("AVIF", _open_avif)),
)
"""The brands in the `ftyp` box that identify a format, and the format (ISO/IEC 14496-12, 4.3)."""
MAX_FTYP_BYTES = 256
"""The number of bytes of the `ftyp` box that are read; ordinary files have fewer than ten
brands."""

_FORMATS = [item for _, _, item in SIGNATURES] + [item for _, item in BRANDS]
INPUT_FORMATS = tuple(dict.fromkeys(item.name for item in _FORMATS))
"""The names of the supported formats."""
INPUT_FORMAT_NAMES = ", ".join(INPUT_FORMATS)


def detect_format(data: bytes) -> InputFormat:
    """Return the format of a file.

    Raises:
        UnsupportedImageError: the format is not supported; the message names a known format.

    """
    for signature, offset, input_format in SIGNATURES:
        if data.startswith(signature, offset):
            return input_format
    file_brands = _read_brands(data)
    for brands, input_format in BRANDS:
        if brands & file_brands:
            return input_format
    message = f"{_describe_problem(data)} Send one of: {INPUT_FORMAT_NAMES}."
    raise UnsupportedImageError(message)


def is_supported(data: bytes) -> bool:
    """Return whether the format is supported; the first 256 bytes of a file are enough."""
    try:
        detect_format(data)
    except UnsupportedImageError:
        return False
    return True


def _describe_problem(data: bytes) -> str:
    if not data:
        return "The image is empty."
    name = detect_unsupported(data)
    return "Unsupported image format." if name is None else f"{name} is not supported."


def _read_brands(data: bytes) -> frozenset[bytes]:
    """Return the major and the compatible brands; none if there is no `ftyp` box."""
    if not data.startswith(b"ftyp", 4):
        return frozenset()
    end = min(int.from_bytes(data[:4]), MAX_FTYP_BYTES)
    return frozenset(data[at : at + 4] for at in (8, *range(16, end - 3, 4)))

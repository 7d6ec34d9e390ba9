"""Detect the format of a file by its content, never by its name."""

from __future__ import annotations

from blur.errors import UnsupportedImageError
from blur.imaging.decode.unsupported import detect_unsupported

SIGNATURES: tuple[tuple[bytes, int, str], ...] = (
    (b"\xff\xd8\xff", 0, "JPEG"),
    (b"\x89PNG\r\n\x1a\n", 0, "PNG"),
    (b"WEBP", 8, "WebP"),
    (b"GIF87a", 0, "GIF"),
    (b"GIF89a", 0, "GIF"),
    (b"BM", 0, "BMP"),
    (b"II*\x00", 0, "TIFF"),
    (b"MM\x00*", 0, "TIFF"),
    (b"II+\x00", 0, "TIFF"),
    (b"MM\x00+", 0, "TIFF"),
)
"""A signature, its position, and the format's name. An MPO file begins with an ordinary JPEG, so
its signature is JPEG's."""

BRANDS: tuple[tuple[frozenset[bytes], str], ...] = (
    (frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}), "HEIC"),
    (frozenset({b"avif", b"avis"}), "AVIF"),
)
"""The brands in the `ftyp` box that identify a format, and its name (ISO/IEC 14496-12, 4.3)."""
MAX_FTYP_BYTES = 256
"""The maximum number of bytes of the `ftyp` box that are read. Each brand has 4 bytes, and ordinary
files have fewer than ten brands."""

INPUT_FORMATS = tuple(
    dict.fromkeys([*(name for _, _, name in SIGNATURES), *(name for _, name in BRANDS)])
)
"""The names of the supported formats."""
INPUT_FORMAT_NAMES = ", ".join(INPUT_FORMATS)


def detect_format(data: bytes) -> str:
    """Return the name of a file's format, one of `INPUT_FORMATS`.

    Raises:
        UnsupportedImageError: the format is not supported; the message names the format if it
            is recognised.

    """
    for signature, offset, name in SIGNATURES:
        if data.startswith(signature, offset):
            return name
    file_brands = _read_brands(data)
    for brands, name in BRANDS:
        if brands & file_brands:
            return name
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

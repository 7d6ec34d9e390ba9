"""Which format a file is in, by its content and never by its name, and what opens it.

Pillow's plugins are called directly rather than through `Image.open`, which guards against
decompression bombs with a module global and a warning, and takes formats nobody asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple, TypeAlias

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL.ImageFile import ImageFile

from blur.errors import InvalidImageError
from blur.imaging.decode.avif import AvifFile
from blur.imaging.decode.heic import detached
from blur.imaging.decode.limits import check_blocks, check_chunks, check_directory, check_markers

Opener: TypeAlias = Callable[[BytesIO], ImageFile]


class Reader(NamedTuple):
    """A format's name, and what reads the header of such a file."""

    name: str
    open: Opener


def _open_heic(file: BytesIO) -> ImageFile:
    # Imported with the first HEIC photo, which few cold starts see: it takes a tenth of one.
    from pillow_heif import HeifImageFile  # noqa: PLC0415

    open_heif: Opener = HeifImageFile
    return open_heif(BytesIO(detached(file.getvalue())))


def _after(check: Callable[[bytes], None], open_image: Opener) -> Opener:
    """Let a file's claims be judged before Pillow's reader sees it."""

    def open_checked(file: BytesIO) -> ImageFile:
        check(file.getvalue())
        return open_image(file)

    return open_checked


_GIF = Reader("GIF", _after(check_blocks, GifImagePlugin.GifImageFile))
_TIFF = Reader("TIFF", _after(check_directory, TiffImagePlugin.TiffImageFile))
SIGNED: tuple[tuple[bytes, int, Reader], ...] = (
    (b"\xff\xd8\xff", 0, Reader("JPEG", _after(check_markers, JpegImagePlugin.JpegImageFile))),
    (b"\x89PNG\r\n\x1a\n", 0, Reader("PNG", _after(check_chunks, PngImagePlugin.PngImageFile))),
    (b"WEBP", 8, Reader("WebP", WebPImagePlugin.WebPImageFile)),
    (b"GIF87a", 0, _GIF),
    (b"GIF89a", 0, _GIF),
    (b"BM", 0, Reader("BMP", BmpImagePlugin.BmpImageFile)),
    (b"II*\x00", 0, _TIFF),
    (b"MM\x00*", 0, _TIFF),
    (b"II+\x00", 0, _TIFF),
    (b"MM\x00+", 0, _TIFF),
)
"""Signature, where it stands, and the format. An MPO file begins with an ordinary JPEG,
which is the picture."""

BRANDED: tuple[tuple[frozenset[bytes], Reader], ...] = (
    (
        frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}),
        Reader("HEIC", _open_heic),
    ),
    (frozenset({b"avif", b"avis"}), Reader("AVIF", AvifFile)),
)
"""Files made of boxes name what they hold among their brands (ISO/IEC 14496-12, 4.3)."""
MAX_FTYP_BYTES = 256
"""Real files list a handful of brands."""

_READERS = [reader for _, _, reader in SIGNED] + [reader for _, reader in BRANDED]
FORMATS = tuple(dict.fromkeys(reader.name for reader in _READERS))
"""The names of the formats that are read."""
FORMAT_NAMES = ", ".join(FORMATS)


def reader_of(data: bytes) -> Reader:
    """Return what reads the file.

    Raises:
        InvalidImageError: it is in no format that is read; the message has those that are.

    """
    for signature, offset, reader in SIGNED:
        if data.startswith(signature, offset):
            return reader
    brands = _brands(data)
    for known, reader in BRANDED:
        if known & brands:
            return reader
    what = "The image is empty." if not data else "The file is in no image format that is read."
    message = f"{what} Send one of: {FORMAT_NAMES}."
    raise InvalidImageError(message)


def _brands(data: bytes) -> frozenset[bytes]:
    """Return the major and the compatible brands; none where there is no `ftyp` box."""
    if not data.startswith(b"ftyp", 4):
        return frozenset()
    end = min(int.from_bytes(data[:4]), MAX_FTYP_BYTES)
    return frozenset(data[at : at + 4] for at in (8, *range(16, end - 3, 4)))

"""Open a file of each supported format: read its header, and return a `Source`.

Pillow's plugins are called directly, not by `Image.open`: this function checks for decompression
bombs only with a global limit and a warning, and accepts formats that we do not support.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import TypeAlias

from blur.imaging.decode.jpeg import JpegSource
from blur.imaging.decode.png import PngSource
from blur.imaging.decode.source import Source

Opener: TypeAlias = Callable[[bytes], Source]
"""A function that reads the header of a file, and returns the file's `Source`."""

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


OPENERS: dict[str, Opener] = {
    "JPEG": JpegSource,
    "PNG": PngSource,
    "WebP": _open_webp,
    "GIF": _open_gif,
    "BMP": _open_bmp,
    "TIFF": _open_tiff,
    "HEIC": _open_heic,
    "AVIF": _open_avif,
}
"""The function that opens a file of each format; the keys are the names in
`formats.INPUT_FORMATS`."""

"""Bytes into a photo. The file's content decides what it is, never its name.

Pillow's plugins are called directly rather than through `Image.open`, which guards against
decompression bombs with a module global and a warning: here the limit is an argument, and
it is judged from the header, before any pixel is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL.ExifTags import Base

from blur.errors import ImageTooLargeError, InvalidImageError
from blur.imaging.colour import to_srgb

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.ImageFile import ImageFile

    from blur.imaging.arrays import Coverage, Pixels

READERS: tuple[tuple[bytes, int, str, Callable[[BytesIO], ImageFile]], ...] = (
    (b"\xff\xd8\xff", 0, "JPEG", JpegImagePlugin.JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", 0, "PNG", PngImagePlugin.PngImageFile),
    (b"WEBP", 8, "WebP", WebPImagePlugin.WebPImageFile),
    (b"GIF87a", 0, "GIF", GifImagePlugin.GifImageFile),
    (b"GIF89a", 0, "GIF", GifImagePlugin.GifImageFile),
    (b"BM", 0, "BMP", BmpImagePlugin.BmpImageFile),
    (b"II*\x00", 0, "TIFF", TiffImagePlugin.TiffImageFile),
    (b"MM\x00*", 0, "TIFF", TiffImagePlugin.TiffImageFile),
    (b"II+\x00", 0, "TIFF", TiffImagePlugin.TiffImageFile),
    (b"MM\x00+", 0, "TIFF", TiffImagePlugin.TiffImageFile),
)
"""Signature, where it stands, the format's name, and what reads it. An MPO file begins
with an ordinary JPEG, which is the picture."""

FORMAT_NAMES = ", ".join(dict.fromkeys(name for _, _, name, _ in READERS))

PNG_END = b"IEND\xaeB`\x82"
"""The last chunk's type and CRC, the same in every whole file (PNG, third edition, 11.2.5)."""

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each EXIF orientation (Exif 2.32, 4.6.4 A)."""


@dataclass(frozen=True, slots=True)
class Photo:
    """An upright picture. Whatever else the file said about it is gone."""

    pixels: Pixels
    alpha: Coverage | None
    icc_profile: bytes | None
    """The RGB profile that `pixels` are encoded in; None means sRGB."""


def decode(data: bytes, *, max_pixels: int) -> Photo:
    """Decode the file's first frame and turn it upright.

    Raises:
        ImageTooLargeError: width times height is more than `max_pixels`.
        InvalidImageError: no image, a broken one, or in a format that is not read.

    """
    name, reader = _reader_of(data)
    try:
        image = reader(BytesIO(data))
        _check_size(image, max_pixels)
        image.load()
        _check_end(name, data)
        return Photo(*to_srgb(_upright(image)))
    except (ImageTooLargeError, InvalidImageError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(max_pixels) from error
    except Exception as error:
        message = f"The {name} image is broken or cut short and cannot be decoded."
        raise InvalidImageError(message) from error


def _reader_of(data: bytes) -> tuple[str, Callable[[BytesIO], ImageFile]]:
    for signature, offset, name, reader in READERS:
        if data.startswith(signature, offset):
            return name, reader
    what = "The image is empty." if not data else "The file is in no image format that is read."
    message = f"{what} Send one of: {FORMAT_NAMES}."
    raise InvalidImageError(message)


def _check_end(name: str, data: bytes) -> None:
    """Refuse a PNG cut short behind its last row, which Pillow takes for whole."""
    if name == "PNG" and PNG_END not in data:
        message = "The PNG image is cut short: its last chunk is missing."
        raise InvalidImageError(message)


def _check_size(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        message = "The image has no pixels."
        raise InvalidImageError(message)
    if width * height > max_pixels:
        raise _too_large(max_pixels, f" and this one has {width} x {height}")


def _too_large(max_pixels: int, found: str = "") -> ImageTooLargeError:
    return ImageTooLargeError(f"An image may have at most {max_pixels} pixels{found}.")


def _upright(image: Image.Image) -> Image.Image:
    turn = UPRIGHT.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """Return EXIF's orientation; 1, upright, where the EXIF data is missing or broken."""
    try:
        return int(image.getexif().get(Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - Pillow's parser raises all sorts on broken EXIF
        return 1

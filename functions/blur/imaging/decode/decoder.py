"""Bytes into a photo: upright, in RGB, with its profile and nothing else.

The limit on pixels is judged from the header, before any is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING

import cv2
import numpy as np
import simplejpeg
from PIL import Image
from PIL.ExifTags import Base
from PIL.JpegImagePlugin import JpegImageFile

from blur.errors import ImageTooLargeError, InvalidImageError
from blur.imaging.decode.colour import rgb_profile, to_srgb
from blur.imaging.decode.formats import reader_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.ImageFile import ImageFile

    from blur.imaging.arrays import Coverage, Pixels

PNG_END = b"IEND\xaeB`\x82"
"""The last chunk's type and CRC, the same in every whole file (PNG, third edition, 11.2.5)."""

UPRIGHT: dict[int, Callable[[Pixels], Pixels]] = {
    2: partial(cv2.flip, flipCode=1),
    3: partial(cv2.rotate, rotateCode=cv2.ROTATE_180),
    4: partial(cv2.flip, flipCode=0),
    5: cv2.transpose,
    6: partial(cv2.rotate, rotateCode=cv2.ROTATE_90_CLOCKWISE),
    7: lambda stored: cv2.flip(cv2.transpose(stored), -1),
    8: partial(cv2.rotate, rotateCode=cv2.ROTATE_90_COUNTERCLOCKWISE),
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
    reader = reader_of(data)
    try:
        image = reader.open(BytesIO(data))
        _check_size(image, max_pixels)
        photo = _quick(image, data) or _careful(image, reader.name, data)
        turn = UPRIGHT.get(_orientation(image), np.asarray)  # asked last: some turn on loading
        alpha = None if photo.alpha is None else turn(photo.alpha)
        return Photo(turn(photo.pixels), alpha, photo.icc_profile)
    except (ImageTooLargeError, InvalidImageError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(max_pixels) from error
    except Exception as error:
        message = f"The {reader.name} image is broken or cut short and cannot be decoded."
        raise InvalidImageError(message) from error


def _quick(image: ImageFile, data: bytes) -> Photo | None:
    """Decode an ordinary JPEG straight into an array, or leave it to Pillow.

    It is the same library underneath, but Pillow's own memory has to be copied out, which
    takes longer than decoding. What is at all unusual, or damaged, is Pillow's to judge.
    """
    if not isinstance(image, JpegImageFile) or image.mode != "RGB":
        return None
    try:
        pixels = simplejpeg.decode_jpeg(data, "RGB")
    except ValueError:
        return None
    return Photo(pixels, None, rgb_profile(image))


def _careful(image: ImageFile, name: str, data: bytes) -> Photo:
    image.load()
    _check_end(name, data)
    return Photo(*to_srgb(image))


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


def _orientation(image: Image.Image) -> int:
    """Return EXIF's orientation; 1, upright, where the EXIF data is missing or broken."""
    try:
        return int(image.getexif().get(Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - Pillow's parser raises all sorts on broken EXIF
        return 1

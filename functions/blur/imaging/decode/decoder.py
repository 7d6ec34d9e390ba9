"""Bytes into a photo: upright, in RGB, with its profile and nothing else.

The limit on pixels is checked against the header, before any is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from blur.errors import ImageTooLargeError, InvalidImageError
from blur.imaging.decode.formats import detect_format

if TYPE_CHECKING:
    from collections.abc import Callable

    from blur.imaging.arrays import AlphaU8, RgbU8
    from blur.imaging.decode.boxes import Rectangle

UPRIGHT: dict[int, Callable[[RgbU8], RgbU8]] = {
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
    """An upright picture, without the file's other metadata."""

    pixels: RgbU8
    alpha: AlphaU8 | None
    icc_profile: bytes | None
    """The RGB profile that `pixels` are encoded in; None means sRGB."""


def decode(data: bytes, *, max_pixels: int) -> Photo:
    """Decode the file's first frame and turn it upright.

    Raises:
        ImageTooLargeError: width times height is more than `max_pixels`.
        InvalidImageError: no image, a broken one, or in a format that is not read.

    """
    known = detect_format(data)
    try:
        source = known.open(data)
        _check_size(source.size, max_pixels)
        pixels, alpha, profile = source.read()
        upright = UPRIGHT.get(source.orientation, np.asarray)
        pixels = upright(_cropped(pixels, source.crop))
        alpha = None if alpha is None else upright(_cropped(alpha, source.crop))
        return Photo(pixels, alpha, profile)
    except (ImageTooLargeError, InvalidImageError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(max_pixels) from error
    except Exception as error:
        message = f"The {known.name} image is broken or cut short and cannot be decoded."
        raise InvalidImageError(message) from error


def _cropped(stored: RgbU8, part: Rectangle | None) -> RgbU8:
    if part is None:
        return stored
    rows = slice(part.top, part.top + part.height)
    return np.ascontiguousarray(stored[rows, part.left : part.left + part.width])


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        message = "The image has no pixels."
        raise InvalidImageError(message)
    if width * height > max_pixels:
        raise _too_large(max_pixels, f" and this one has {width} x {height}")


def _too_large(max_pixels: int, found: str = "") -> ImageTooLargeError:
    return ImageTooLargeError(f"An image can have at most {max_pixels} pixels{found}.")

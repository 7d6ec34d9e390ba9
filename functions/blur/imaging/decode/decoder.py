"""Decode a file to a photo: upright, in RGB, with its colour profile and no other metadata.

The limit on pixels is checked with the header, before decoding.
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
from blur.imaging.decode.limits import check_pixel_count, too_large

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaU8, RgbU8
    from blur.imaging.decode.boxes import Rectangle

UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: partial(cv2.flip, flipCode=1),
    3: partial(cv2.rotate, rotateCode=cv2.ROTATE_180),
    4: partial(cv2.flip, flipCode=0),
    5: cv2.transpose,
    6: partial(cv2.rotate, rotateCode=cv2.ROTATE_90_CLOCKWISE),
    7: lambda stored: cv2.flip(cv2.transpose(stored), -1),
    8: partial(cv2.rotate, rotateCode=cv2.ROTATE_90_COUNTERCLOCKWISE),
}
"""The operation that turns each EXIF orientation upright (Exif 2.32, 4.6.4 A)."""
SIDEWAYS = range(5, 9)
"""The orientations that exchange width and height."""


@dataclass(frozen=True, slots=True)
class Photo:
    """An upright image, without the metadata of its file."""

    pixels: RgbU8
    alpha: AlphaU8 | None
    icc_profile: bytes | None
    """The RGB profile of `pixels`; None is sRGB."""
    reduction: int
    """The power of two by which `pixels` are smaller than the image in the file."""
    full_shape: tuple[int, int]
    """Height and width of the image in the file, upright."""


def decode(
    data: bytes, *, max_pixels: int, reduction: Callable[[tuple[int, int]], int] = lambda _: 1
) -> Photo:
    """Decode the file's first frame and turn it upright.

    `reduction` returns a power of two for the two sides of the image, in either order. A JPEG is
    then decoded at a size that is smaller by this factor, at most 8, which takes less time; other
    files are decoded in full.

    Raises:
        ImageTooLargeError: width times height is more than `max_pixels`.
        InvalidImageError: the file is broken, or its format is not supported.

    """
    input_format = detect_format(data)
    try:
        source = input_format.open(data)
        check_pixel_count(source.size, max_pixels)
        source.reduce(reduction(source.size))
        pixels, alpha, profile = source.read()
        turn_upright = UPRIGHT.get(source.orientation, np.asarray)
        pixels = turn_upright(_crop(pixels, source.crop))
        alpha = None if alpha is None else turn_upright(_crop(alpha, source.crop))
        shape = pixels.shape[0], pixels.shape[1]
        if source.reduction > 1:
            width, height = source.size
            shape = (width, height) if source.orientation in SIDEWAYS else (height, width)
        return Photo(pixels, alpha, profile, source.reduction, shape)
    except (ImageTooLargeError, InvalidImageError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise too_large(max_pixels) from error
    except Exception as error:
        message = f"The {input_format.name} image is broken or truncated and cannot be decoded."
        raise InvalidImageError(message) from error


def _crop(stored: NDArray[np.uint8], area: Rectangle | None) -> NDArray[np.uint8]:
    if area is None:
        return stored
    rows = slice(area.top, area.top + area.height)
    return np.ascontiguousarray(stored[rows, area.left : area.left + area.width])

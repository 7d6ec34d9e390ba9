"""Decode a file to a photo: upright, in RGB, with its colour profile and no other metadata.

The size in the header is compared with the limit on pixels before the image is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from blur.errors import ImageTooLargeError, InvalidImageError
from blur.imaging.decode.formats import detect_format
from blur.imaging.decode.limits import check_pixel_count, too_large
from blur.imaging.decode.openers import OPENERS
from blur.imaging.decode.orientation import turn_upright, upright_shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaU8, RgbU8
    from blur.imaging.decode.boxes import Rectangle


@dataclass(frozen=True, slots=True)
class Photo:
    """An upright image, without the metadata of its file."""

    pixels: RgbU8
    alpha: AlphaU8 | None
    icc_profile: bytes | None
    """The RGB profile of `pixels`; None means sRGB."""
    reduction: int
    """A power of two: the image in the file is this many times as wide and as high as `pixels`."""
    full_shape: tuple[int, int]
    """Height and width of the image in the file, after it is turned upright."""


def decode(
    data: bytes, *, max_pixels: int, reduction: Callable[[tuple[int, int]], int] = lambda _: 1
) -> Photo:
    """Decode the file's first frame and turn it upright.

    `reduction` gets the two sides of the image, in either order, and returns a power of two. A JPEG
    is then decoded at a size that is smaller by this factor (at most 8), which takes less time;
    other files are decoded in full.

    Raises:
        ImageTooLargeError: width times height is more than `max_pixels`.
        InvalidImageError: the file is broken, or its format is not supported.

    """
    name = detect_format(data)
    try:
        source = OPENERS[name](data)
        check_pixel_count(source.size, max_pixels)
        source.reduce(reduction(source.size))
        pixels, alpha, profile = source.read()
        pixels = turn_upright(_crop(pixels, source.crop), source.orientation)
        if alpha is not None:
            alpha = turn_upright(_crop(alpha, source.crop), source.orientation)
        shape = pixels.shape[0], pixels.shape[1]
        if source.reduction > 1:
            shape = upright_shape(source.size, source.orientation)
        return Photo(pixels, alpha, profile, source.reduction, shape)
    except (ImageTooLargeError, InvalidImageError, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise too_large(max_pixels) from error
    except Exception as error:
        message = f"The {name} image is broken or truncated and cannot be decoded."
        raise InvalidImageError(message) from error


def _crop(stored: NDArray[np.uint8], area: Rectangle | None) -> NDArray[np.uint8]:
    if area is None:
        return stored
    rows = slice(area.top, area.top + area.height)
    return np.ascontiguousarray(stored[rows, area.left : area.left + area.width])

"""The EXIF orientation: read from a file's EXIF data, and applied to its decoded pixels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import cv2

from blur.imaging.decode.exif import read_number

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

_TAG = 274
_ORIENTATIONS = range(1, 9)
_TURNS: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: partial(cv2.flip, flipCode=1),
    3: partial(cv2.rotate, rotateCode=cv2.ROTATE_180),
    4: partial(cv2.flip, flipCode=0),
    5: cv2.transpose,
    6: partial(cv2.rotate, rotateCode=cv2.ROTATE_90_CLOCKWISE),
    7: lambda stored: cv2.flip(cv2.transpose(stored), -1),
    8: partial(cv2.rotate, rotateCode=cv2.ROTATE_90_COUNTERCLOCKWISE),
}
"""The operation for each orientation except 1, which is upright (Exif 2.32, 4.6.4 A)."""
_SIDEWAYS = range(5, 9)
"""The orientations that exchange width and height."""


def read_orientation(exif: bytes) -> int:
    """Return the EXIF orientation, 1 to 8; 1 (upright) if the value is missing or broken."""
    value = read_number(exif, _TAG)
    return value if value in _ORIENTATIONS else 1


def turn_upright(stored: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return stored pixels, (H, W) or (H, W, C), as they are displayed."""
    turn = _TURNS.get(orientation)
    return turn(stored) if turn else stored


def upright_shape(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return the displayed (height, width) of an image with the stored size (width, height)."""
    width, height = size
    return (width, height) if orientation in _SIDEWAYS else (height, width)

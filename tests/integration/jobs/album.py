"""A folder of small photos. The pixels of each photo contain its number, even after blurring."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from events import make
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 160
CORNER = 32
"""The side in pixels of the two corners that contain the digits of the photo's number."""
STEP = 16
"""The difference in brightness between two successive digits. Blurring and JPEG change the
brightness by less than half of this difference."""
IN_FOLDER = 50


def fill_album(folder: Path, count: int) -> dict[str, int]:
    """Write photos into subfolders; return the number of each photo by the photo's path."""
    with Image.open(make.PHOTO) as original:
        small = original.convert("RGB").resize((SIDE, SIDE))
    numbers = {}
    for number in range(count):
        photo = np.array(small)
        for digit, left in zip(divmod(number, STEP), (0, SIDE - CORNER), strict=True):
            photo[:CORNER, left : left + CORNER] = digit * STEP + STEP // 2
        source = f"part {number // IN_FOLDER}/{number:03}.jpg"
        (folder / source).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo).save(folder / source, quality=90)
        numbers[source] = number
    return numbers


def number_of(result: bytes) -> int:
    """Return the number of the photo from which this result was made."""
    with Image.open(io.BytesIO(result)) as image:
        assert image.size == (SIDE, SIDE)
        pixels = np.asarray(image.convert("L"), np.float64)
    middle = slice(CORNER // 4, CORNER // 2)
    high, low = pixels[middle, middle], pixels[middle, ::-1][:, middle]
    return int(high.mean() // STEP) * STEP + int(low.mean() // STEP)

"""Remove the background of photos, and read the pixels of results."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from tests.unit.imaging.pictures import astronaut, saved
from tests.unit.imaging.predictors import DiscPredictor

from blur.imaging.removal.options import RemovalOptions
from blur.imaging.removal.remove import remove_background

if TYPE_CHECKING:
    from blur.imaging.arrays import RgbU8
    from blur.imaging.results import RemovedBackground

LIMIT = 1_000_000


def removed(
    data: bytes,
    *,
    radius: float = 90,
    watermarked: bool = False,
    **options: Any,  # noqa: ANN401 - any values of the options
) -> RemovedBackground:
    return remove_background(
        data,
        RemovalOptions(**{"max_megapixels": 25, **options}),
        model=DiscPredictor(radius),
        max_pixels=LIMIT,
        watermarked=watermarked,
    )


def pixels_of(result: RemovedBackground) -> RgbU8:
    return np.asarray(Image.open(BytesIO(result.image.data)))


@cache
def photo_file(height: int = 300, width: int = 400) -> bytes:
    return saved(Image.fromarray(astronaut(height, width)), "PNG")

"""Blur photos with a predictor that finds a disc."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image
from tests.unit.imaging.predictors import DiscPredictor

from blur.imaging.blur_options import BlurOptions
from blur.imaging.pipeline import blur_photo
from blur.imaging.results import EncodedImage

LIMIT = 1_000_000


def encoded_result(data: bytes, **options: Any) -> EncodedImage:  # noqa: ANN401 - any values of the options
    blur_options = BlurOptions(**{"radius_px": 5, **options})
    return blur_photo(data, blur_options, model=DiscPredictor(), max_pixels=LIMIT).image


def blurred(data: bytes, radius_px: int = 5, mode: str = "background") -> Image.Image:
    encoded = encoded_result(data, radius_px=radius_px, mode=mode)
    assert isinstance(encoded, EncodedImage)
    return Image.open(BytesIO(encoded.data))

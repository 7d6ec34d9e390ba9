"""The photo that the benchmarks use, and the usual simple code to blur it."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from collections.abc import Callable

MODELS = Path(__file__).parents[1] / "build" / "models"
SENSOR_NOISE = 3.0
"""The standard deviation of the noise in a phone's photo, in levels. Such noise is added to the
enlarged photo, which has less noise."""
QUALITY = 92


def photo(width: int, height: int) -> bytes:
    """Return a portrait as a JPEG of any size, with the noise of a camera."""
    from skimage import data  # noqa: PLC0415 - blurring does not use this import

    portrait = Image.fromarray(getattr(data, "astronaut")())  # noqa: B009 - the module has no types
    enlarged = portrait.resize((width, height), Image.Resampling.LANCZOS)
    noise = np.random.default_rng(0).normal(0, SENSOR_NOISE, (height, width, 3))
    pixels = (np.asarray(enlarged, np.float32) + noise).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class Naive:
    """The naive service: a dozen lines, with rembg for the mask and Pillow for all other steps."""

    session: Any
    remove: Callable[..., Any]

    @classmethod
    def open(cls) -> Naive:
        """Load rembg with u2netp, without rembg's alpha matting, which takes minutes to compile."""
        os.environ |= {"NUMBA_DISABLE_JIT": "1", "U2NET_HOME": str(MODELS)}
        from rembg import new_session, remove  # noqa: PLC0415 - the import reads the environment

        return cls(new_session("u2netp"), remove)

    def __call__(self, photo: bytes, radius_px: int) -> bytes:
        """Blur the background of a photo; return a PNG."""
        sharp = Image.open(io.BytesIO(photo)).convert("RGB")
        mask = self.remove(sharp, session=self.session, only_mask=True)
        blurred = sharp.filter(ImageFilter.GaussianBlur(radius_px))
        file = io.BytesIO()
        Image.composite(sharp, blurred, mask).save(file, "PNG")
        return file.getvalue()

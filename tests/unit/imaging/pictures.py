"""Pictures that tests make or share: files in memory, mattes, real photos."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from skimage import data

from blur.imaging.blurring.convolution import normalised_convolution
from blur.imaging.blurring.lens import KERNELS
from blur.imaging.resample import downscale, upscale_by

if TYPE_CHECKING:
    from PIL import Image

    from blur.imaging.arrays import AlphaU8, RgbU8


def astronaut(height: int = 512, width: int = 512) -> RgbU8:
    """A portrait, public domain (NASA), or its upper left corner."""
    return real("astronaut")[:height, :width].copy()


def real(name: str) -> RgbU8:
    """One of scikit-image's photos, by the name of the function that loads it."""
    return np.array(getattr(data, name)())


def flat(height: int, width: int, colour: tuple[int, int, int]) -> RgbU8:
    return np.full((height, width, 3), colour, np.uint8)


def noise(height: int, width: int, seed: int = 0) -> RgbU8:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def random_coverage(height: int, width: int, seed: int = 0) -> AlphaU8:
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


def disc(height: int, width: int, radius: float, softness: float = 8.0) -> AlphaU8:
    """A subject in the middle: 255 inside, 0 outside, a ramp of `softness` pixels between."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(y - height / 2, x - width / 2)
    ramp = np.clip((radius - distance) / softness + 0.5, 0, 1)
    matte: AlphaU8 = np.rint(255 * ramp).astype(np.uint8)
    return matte


def softened(
    colours: RgbU8, weights: AlphaU8, radius: float, kernel: str = "gaussian"
) -> tuple[RgbU8, AlphaU8]:
    """Blur weighted colours and bring both back to the picture's size; grey where unknown."""
    lens = KERNELS[kernel](radius)
    cells, shares = downscale(colours, lens.cell_px), downscale(weights, lens.cell_px)
    soft = normalised_convolution(cells, shares, lens, np.full((1, 1, 3), 128, np.float32))
    shape = weights.shape[0], weights.shape[1]
    return (
        upscale_by(soft.colours, lens.cell_px, shape),
        upscale_by(soft.weights, lens.cell_px, shape),
    )


def saved(image: Image.Image, file_format: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's options
    file = BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def difference(one: RgbU8, other: RgbU8) -> RgbU8:
    """How many levels apart two pictures are, pixel by pixel."""
    apart: RgbU8 = np.abs(one.astype(np.int16) - other).astype(np.uint8)
    return apart

"""Pictures that tests make or share: files in memory, mattes, real photos."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from skimage import data

from blur.imaging.blurring.convolution import normalised_convolution
from blur.imaging.blurring.lens import KERNELS
from blur.imaging.resample import enlarged_by, reduced

if TYPE_CHECKING:
    from PIL import Image

    from blur.imaging.arrays import Coverage, Pixels


def astronaut(height: int = 512, width: int = 512) -> Pixels:
    """A portrait, public domain (NASA), or its upper left corner."""
    return real("astronaut")[:height, :width].copy()


def real(name: str) -> Pixels:
    """One of scikit-image's photos, by the name of the function that loads it."""
    return np.array(getattr(data, name)())


def flat(height: int, width: int, colour: tuple[int, int, int]) -> Pixels:
    return np.full((height, width, 3), colour, np.uint8)


def noise(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def random_coverage(height: int, width: int, seed: int = 0) -> Coverage:
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


def disc(height: int, width: int, radius: float, softness: float = 8.0) -> Coverage:
    """A subject in the middle: 255 inside, 0 outside, a ramp of `softness` pixels between."""
    y, x = np.mgrid[:height, :width]
    distance = np.hypot(y - height / 2, x - width / 2)
    ramp = np.clip((radius - distance) / softness + 0.5, 0, 1)
    matte: Coverage = np.rint(255 * ramp).astype(np.uint8)
    return matte


def softened(
    colours: Pixels, weights: Coverage, radius: float, kernel: str = "gaussian"
) -> tuple[Pixels, Coverage]:
    """Blur weighted colours and bring both back to the picture's size; grey where unknown."""
    lens = KERNELS[kernel](radius)
    cells, shares = reduced(colours, lens.step), reduced(weights, lens.step)
    soft = normalised_convolution(cells, shares, lens, np.full((1, 1, 3), 128, np.float32))
    shape = weights.shape[0], weights.shape[1]
    return (
        enlarged_by(soft.colours, lens.step, shape),
        enlarged_by(soft.weights, lens.step, shape),
    )


def saved(image: Image.Image, file_format: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's options
    file = BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def difference(one: Pixels, other: Pixels) -> Pixels:
    """How many levels apart two pictures are, pixel by pixel."""
    apart: Pixels = np.abs(one.astype(np.int16) - other).astype(np.uint8)
    return apart

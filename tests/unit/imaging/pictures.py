"""Images for tests: photos, mattes, and files in memory."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from skimage import data

from blur.imaging.blurring.convolution import normalised_convolution
from blur.imaging.blurring.lens import KERNELS
from blur.imaging.resample import downscale, upscale_by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaU8, RgbU8


def astronaut(height: int = 512, width: int = 512) -> RgbU8:
    """Return a portrait (NASA, public domain), or its upper left corner."""
    return sample_photo("astronaut")[:height, :width].copy()


def sample_photo(name: str) -> RgbU8:
    """Return a photo from scikit-image, by the name of its file."""
    return _loaded(name).copy()


@cache
def _loaded(name: str) -> RgbU8:
    # Pillow reads the same pixels as the functions of scikit-image, which import much of SciPy.
    [path] = Path(data.__file__).parent.glob(f"{name}.*")
    return np.array(Image.open(path))


def flat(height: int, width: int, colour: tuple[int, int, int]) -> RgbU8:
    return np.full((height, width, 3), colour, np.uint8)


def noise(height: int, width: int, seed: int = 0) -> RgbU8:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def marked() -> Image.Image:
    """Return an image with four different corners, so that every rotation is visible."""
    pixels = noise(24, 40) // 8 + 100
    pixels[:8, :8] = (255, 0, 0)
    pixels[:8, -8:] = (0, 255, 0)
    pixels[-8:, :8] = (0, 0, 255)
    return Image.fromarray(pixels)


def random_alpha(height: int, width: int, seed: int = 0) -> AlphaU8:
    return np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)


def disc(height: int, width: int, radius: float, softness: float = 8.0) -> AlphaU8:
    """Return a matte with a disc: 255 inside, 0 outside, and a ramp of `softness` pixels."""
    y, x = np.ogrid[:height, :width]
    distance = np.hypot(y - height / 2, x - width / 2)
    ramp = np.clip((radius - distance) / softness + 0.5, 0, 1)
    matte: AlphaU8 = np.rint(255 * ramp).astype(np.uint8)
    return matte


def weighted_blur(
    colours: RgbU8, weights: AlphaU8, radius: float, kernel: str = "gaussian"
) -> tuple[RgbU8, AlphaU8]:
    """Blur colours and their weights at a smaller size; pixels without weight become grey."""
    lens = KERNELS[kernel](radius)
    cells, cell_weights = downscale(colours, lens.cell_px), downscale(weights, lens.cell_px)
    blurred = normalised_convolution(cells, cell_weights, lens, np.full((1, 1, 3), 128, np.float32))
    shape = weights.shape[0], weights.shape[1]
    return (
        upscale_by(blurred.colours, lens.cell_px, shape),
        upscale_by(blurred.weights, lens.cell_px, shape),
    )


def gaussian_blur(values: NDArray[Any], sigma_px: float | tuple[float, ...]) -> NDArray[np.float64]:
    """Return the values after an exact Gaussian blur; values outside the border are mirrored."""
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - a slow import that few tests need

    blurred: NDArray[np.float64] = gaussian_filter(values.astype(float), sigma_px, mode="reflect")
    return blurred


def saved(image: Image.Image, file_format: str, **options: Any) -> bytes:  # noqa: ANN401 - any options of Pillow
    file = BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def difference(one: RgbU8, other: RgbU8) -> RgbU8:
    """Return the absolute difference between two images, in levels from 0 to 255."""
    levels: RgbU8 = np.abs(one.astype(np.int16) - other).astype(np.uint8)
    return levels

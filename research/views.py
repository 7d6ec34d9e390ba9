"""The pictures of the calibration: photographs from scikit-image, cropped and recoloured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from skimage import data

from blur.imaging.matting.models import MODELS
from blur.imaging.matting.session import to_tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from blur.imaging.arrays import RgbU8

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "camera", "stereo_motorcycle")
VIEWS = 8
"""The number of views of each photograph; the first view is the photograph itself."""
CROPS = 3
"""The index of the first view whose colours are changed; all earlier views keep their colours."""
MIN_CROP = 0.45
"""The smallest side of a crop, as a share of the photograph's side."""
SPEC = MODELS["u2netp"]


def tensors() -> list[NDArray[np.float32]]:
    """Return every view as an input of the network, (1, 3, 320, 320)."""
    generator = np.random.default_rng(5)
    return [to_tensor(view, SPEC) for photo in photos() for view in views(photo, generator)]


def photos() -> list[RgbU8]:
    """Return six photographs: two of people, and a cat, a cup, a rocket and a motorcycle."""
    return [as_rgb(getattr(data, name)()) for name in PHOTOS]


def as_rgb(photo: RgbU8 | tuple[RgbU8, ...]) -> RgbU8:
    """Return a photo with three channels; for a stereo pair, return the left photo."""
    one = photo[0] if isinstance(photo, tuple) else photo
    return np.repeat(one[:, :, np.newaxis], 3, axis=2) if one.ndim == 2 else one  # noqa: PLR2004 - a grey photo has only rows and columns


def views(photo: RgbU8, generator: np.random.Generator) -> Iterator[RgbU8]:
    """Yield the photo and random crops of the photo; the later crops are recoloured."""
    yield photo
    for number in range(1, VIEWS):
        view = crop(photo, generator)
        yield recolour(view, generator) if number >= CROPS else view


def crop(photo: RgbU8, generator: np.random.Generator) -> RgbU8:
    """Return a random crop in the network's size, mirrored half of the time."""
    size = np.array(photo.shape[:2])
    size_share = generator.uniform(MIN_CROP, 1, 2)
    start = generator.uniform(0, 1 - size_share)
    top, left = (start * size).astype(int)
    bottom, right = ((start + size_share) * size).astype(int)
    part = photo[top:bottom, left:right]
    side = (SPEC.side_px, SPEC.side_px)
    image = Image.fromarray(np.ascontiguousarray(part)).resize(side, Image.Resampling.LANCZOS)
    if generator.random() < 1 / 2:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(image)


def recolour(view: RgbU8, generator: np.random.Generator) -> RgbU8:
    """Return the image with its channels in random order, with random contrast and brightness."""
    linear = view[:, :, generator.permutation(3)] / 255
    bent = linear ** generator.uniform(0.6, 1.6, 3) * generator.uniform(0.6, 1.1)
    recoloured: RgbU8 = (bent.clip(0, 1) * 255).astype(np.uint8)
    return recoloured

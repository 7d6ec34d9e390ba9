"""Pictures to calibrate on: the photographs that scikit-image ships, cut and coloured anew."""

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
"""Views of each photograph; the first is the photograph itself."""
CUTS = 3
"""The views that are only cut; the others have other colours too."""
LEAST = 0.45
"""The least share of a side that a cut keeps."""
SPEC = MODELS["u2netp"]


def tensors() -> list[NDArray[np.float32]]:
    """Return every view as the network takes it, (1, 3, 320, 320)."""
    chance = np.random.default_rng(5)
    return [to_tensor(view, SPEC) for photo in photos() for view in views(photo, chance)]


def photos() -> list[RgbU8]:
    """Return photographs of a person, animals, things, a machine and a landscape."""
    return [in_colour(getattr(data, name)()) for name in PHOTOS]


def in_colour(photo: RgbU8 | tuple[RgbU8, ...]) -> RgbU8:
    """Take the left one of a stereo pair, and give a grey photo three channels."""
    one = photo[0] if isinstance(photo, tuple) else photo
    return np.repeat(one[:, :, np.newaxis], 3, axis=2) if one.ndim == 2 else one  # noqa: PLR2004 - rows and columns


def views(photo: RgbU8, chance: np.random.Generator) -> Iterator[RgbU8]:
    """Yield the photo and cuts of it, mirrored by chance, the later ones recoloured."""
    yield photo
    for number in range(1, VIEWS):
        view = cut(photo, chance)
        yield recolour(view, chance) if number >= CUTS else view


def cut(photo: RgbU8, chance: np.random.Generator) -> RgbU8:
    """Return a rectangle of the photo, mirrored half of the time, in the network's size."""
    size = np.array(photo.shape[:2])
    share = chance.uniform(LEAST, 1, 2)
    start = chance.uniform(0, 1 - share)
    top, left = (start * size).astype(int)
    bottom, right = ((start + share) * size).astype(int)
    part = photo[top:bottom, left:right]
    side = (SPEC.side_px, SPEC.side_px)
    image = Image.fromarray(np.ascontiguousarray(part)).resize(side, Image.Resampling.LANCZOS)
    if chance.random() < 1 / 2:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(image)


def recolour(view: RgbU8, chance: np.random.Generator) -> RgbU8:
    """Change the order, the contrast and the brightness of the channels."""
    linear = view[:, :, chance.permutation(3)] / 255
    bent = linear ** chance.uniform(0.6, 1.6, 3) * chance.uniform(0.6, 1.1)
    recoloured: RgbU8 = (bent.clip(0, 1) * 255).astype(np.uint8)
    return recoloured

"""A photo and what is known of its subject: everything that a blur is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from blur.imaging.compositing.foreground import LayerColours, estimate_layers
from blur.imaging.compositing.hidden import fill_transparent

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8


@dataclass(frozen=True, slots=True)
class Scene:
    """A photo taken apart. Its arrays are never modified."""

    photo: RgbU8
    """Colour, (H, W, 3); under `alpha` 0 it is made up from what is seen."""
    alpha: AlphaU8 | None
    """The photo's own transparency, (H, W), if it has any."""
    matte: AlphaU8
    """How much of each pixel is subject, (H, W)."""
    layers: LayerColours
    """What subject and background look like, on a coarse grid."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.matte.shape[0], self.matte.shape[1]

    @classmethod
    def of(cls, photo: RgbU8, matte: AlphaU8, alpha: AlphaU8 | None = None) -> Scene:
        """Take a photo, uint8 (H, W, 3), apart by its matte, uint8 (H, W).

        Raises:
            ValueError: a shape or dtype is another.

        """
        _check(photo, matte, alpha)
        if alpha is not None:
            photo = fill_transparent(photo, alpha)
        return cls(photo, alpha, matte, estimate_layers(photo, matte, alpha))


def _check(photo: RgbU8, matte: AlphaU8, alpha: AlphaU8 | None) -> None:
    size = photo.shape[:2]
    arrays = {"photo": (photo, (*size, 3)), "matte": (matte, size), "alpha": (alpha, size)}
    for name, (array, shape) in arrays.items():
        if array is None:
            continue
        if array.dtype != np.uint8 or array.shape != shape or array.size == 0:
            message = f"{name} must be uint8 {shape}, not {array.dtype} {array.shape}"
            raise ValueError(message)

"""A scene: a photo, its matte and its layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from blur.imaging.compositing.fill import fill_transparent
from blur.imaging.compositing.foreground import LayerColours, estimate_layers
from blur.imaging.resample import crop_grid, rescale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaU8, RgbU8


@dataclass(frozen=True, slots=True)
class Scene:
    """A photo divided into its layers. The arrays are never modified."""

    photo: RgbU8
    """Colour, (H, W, 3); pixels with `alpha` 0 are filled with the nearest visible colours."""
    alpha: AlphaU8 | None
    """The photo's own alpha channel, (H, W), if it has one."""
    matte: AlphaU8
    """The alpha of the subject, (H, W)."""
    layers: LayerColours
    """The colours of foreground and background, on a coarse grid."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.matte.shape[0], self.matte.shape[1]

    def crop(self, rows: slice, columns: slice = slice(None)) -> Scene:
        """Return the part of the scene in the given rows and columns of the photo."""
        window = _resolve_slice(rows, self.shape[0]), _resolve_slice(columns, self.shape[1])
        alpha = None if self.alpha is None else self.alpha[window]
        layers = LayerColours(*(crop_grid(grid, window, self.shape) for grid in self.layers))
        return Scene(self.photo[window], alpha, self.matte[window], layers)

    def resize(self, shape: tuple[int, int]) -> Scene:
        """Return the scene scaled to `shape`, (height, width), with contiguous arrays."""
        alpha = None if self.alpha is None else _rescale(self.alpha, shape)
        photo, matte = _rescale(self.photo, shape), _rescale(self.matte, shape)
        return Scene(photo, alpha, matte, self.layers)

    @classmethod
    def decompose(cls, photo: RgbU8, matte: AlphaU8, alpha: AlphaU8 | None = None) -> Scene:
        """Compute the layers of a photo, uint8 (H, W, 3), from its matte, uint8 (H, W).

        Raises:
            ValueError: an array is empty, or does not have this shape or dtype.

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


def _resolve_slice(span: slice, side_px: int) -> slice:
    start, stop, _ = span.indices(side_px)
    return slice(start, stop)


def _rescale(image: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    return rescale(np.ascontiguousarray(image), shape)

"""A predictor for tests, which needs no neural network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tests.unit.imaging.pictures import disc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import RgbU8


class DiscPredictor:
    """A predictor that finds a disc in the middle of every photo."""

    def __init__(self, radius: float = 90, *, side_px: int = 320) -> None:
        self.radius = radius
        self.side_px = side_px
        self.input_shape: tuple[int, ...] = ()

    def predict(self, photo: RgbU8) -> NDArray[np.float32]:
        assert photo.dtype == np.uint8
        self.input_shape = photo.shape
        return disc(320, 320, self.radius, 6).astype(np.float32) / np.float32(255)

"""Decode the first frame of a GIF; the canvas outside the frame is transparent."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL.GifImagePlugin import GifImageFile

from blur.imaging.arrays import OPAQUE
from blur.imaging.decode.limits import check_gif
from blur.imaging.decode.source import Source

if TYPE_CHECKING:
    from blur.imaging.arrays import AlphaU8, RgbU8


class GifSource(Source):
    """A GIF's first frame."""

    def __init__(self, data: bytes) -> None:
        """Read the header and the position of the first frame.

        Raises:
            InvalidImageError: the file has too many blocks.

        """
        check_gif(data)
        image = GifImageFile(BytesIO(data))
        super().__init__(image)
        self._frame = image.tile[0].extents if image.tile else None

    def read(self) -> tuple[RgbU8, AlphaU8 | None, bytes | None]:
        """Decode the frame (GIF89a, 20)."""
        pixels, alpha, profile = super().read()
        if self._frame is None or self._frame == (0, 0, *self.size):
            return pixels, alpha, profile
        left, top, right, bottom = self._frame
        frame = (slice(top, bottom), slice(left, right))
        canvas_alpha = np.zeros(pixels.shape[:2], np.uint8)
        canvas_alpha[frame] = OPAQUE if alpha is None else alpha[frame]
        return pixels, canvas_alpha, profile

"""Read the kinds of TIFF samples that Pillow cannot read correctly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from blur.imaging.arrays import OPAQUE
from blur.imaging.decode import tiff_directory as tags
from blur.imaging.decode.rgb import find_scale, to_rgb
from blur.imaging.decode.source import Source
from blur.imaging.decode.tiff_blocks import check_strips, unpack_blocks
from blur.imaging.decode.tiff_directory import Directory, number
from blur.imaging.decode.tiff_layout import (
    COLOUR_CHANNELS,
    FLOAT,
    LAB,
    LONG_BITS,
    PREMULTIPLIED,
    WHITE_IS_ZERO,
    TiffLayout,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from blur.imaging.arrays import AlphaU8, RgbU8

_MAX_SHORT = 0xFFFF
_MAX_FLOAT = float(np.finfo(np.float32).max) / 2
"""The largest value of white for floats, for example if a sample is infinite. The difference
between _MAX_FLOAT and -_MAX_FLOAT is still a finite float."""


class SamplesSource(Source):
    """A TIFF whose samples are unpacked by `tiff_blocks`."""

    def __init__(self, data: bytes, order: str, directory: Directory, layout: TiffLayout) -> None:
        """Store the file and the page's directory, and check the strips or tiles.

        Raises:
            InvalidImageError: the strips or tiles are too large.

        """
        check_strips(directory, layout)
        self._data, self._order, self._directory, self._layout = data, order, directory, layout
        self._width, self._height = number(directory, tags.WIDTH), number(directory, tags.HEIGHT)
        self._colours = COLOUR_CHANNELS[layout.photometric]
        self._channels = self._colours + layout.has_alpha  # colour, and alpha if there is any

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as stored."""
        return self._width, self._height

    @property
    def orientation(self) -> int:
        """The value of the page's orientation tag."""
        return number(self._directory, tags.ORIENTATION, 1)

    def read(self) -> tuple[RgbU8, AlphaU8 | None, bytes | None]:
        """Decode, and return RGB (H, W, 3), alpha (H, W) or None, and the RGB profile or None."""
        layout, colours = self._layout, self._colours
        samples = np.empty((self._height, self._width, self._channels), np.uint8)
        scale = self._float_scale() if layout.format == FLOAT else None
        full_scale = self._full_scale()
        for rows, raw in self._rows():
            if scale is None:
                samples[rows] = _scale_integers(raw, layout, full_scale)
            else:
                samples[rows, :, :colours] = _scale_floats(raw[..., :colours], *scale)
                samples[rows, :, colours:] = _scale_floats(raw[..., colours:], 0, 1)
        colour = samples[..., :colours]
        alpha = np.ascontiguousarray(samples[..., colours]) if layout.has_alpha else None
        if layout.photometric == WHITE_IS_ZERO:
            colour = OPAQUE - colour
        pixels, _, profile = to_rgb(self._image(colour))
        if alpha is not None and layout.extras[0] == PREMULTIPLIED:
            premultiplied = Image.fromarray(np.dstack((pixels, alpha)), "RGBa")
            pixels = np.array(premultiplied.convert("RGBA"))[..., :3].copy()
        return pixels, alpha, profile

    def _float_scale(self) -> tuple[float, float]:
        """Return the sample value of black, and the range from black to white, for floats.

        No tag of a TIFF defines the range, so the range is computed from the samples.
        """
        minimum = maximum = 0.0
        for _, raw in self._rows():
            with np.errstate(over="ignore"):
                colours = raw[..., : self._colours].astype(np.float32)
            minimum = min(minimum, float(np.fmin.reduce(colours, axis=None, initial=0)))
            maximum = max(maximum, float(np.fmax.reduce(colours, axis=None, initial=0)))
        return find_scale(max(minimum, -_MAX_FLOAT), min(maximum, _MAX_FLOAT), is_float=True)

    def _full_scale(self) -> int:
        """Return the sample value of white. Samples of 32 bits often use only 8 or 16 bits."""
        full_scale = (1 << self._layout.bits) - 1
        if self._layout.format == FLOAT or self._layout.bits != LONG_BITS:
            return full_scale
        maximum = max(int(raw.max(initial=0)) for _, raw in self._rows())
        return next(scale for scale in (OPAQUE, _MAX_SHORT, full_scale) if maximum <= scale)

    def _rows(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Yield the rows of each block and their samples, (h, W, channels)."""
        return unpack_blocks(self._data, self._order, self._directory, self._layout, self._channels)

    def _image(self, colour: NDArray[np.uint8]) -> Image.Image:
        mode = {1: "L", 3: "RGB", 4: "CMYK"}[colour.shape[2]]
        mode = "LAB" if self._layout.photometric == LAB else mode
        array = np.ascontiguousarray(colour[..., 0] if mode == "L" else colour)
        image = Image.frombuffer(mode, self.size, array, "raw", mode, 0, 1)
        profile = self._directory.get(tags.ICC_PROFILE)
        if profile:
            image.info["icc_profile"] = bytes(profile)
        return image


def _scale_floats(samples: NDArray[Any], black: float, white_range: float) -> NDArray[np.uint8]:
    """Scale floats from `black`..`black + white_range` to 0..255 and clip them; NaN becomes 0."""
    with np.errstate(over="ignore"):
        scaled = samples.astype(np.float32)
        scaled -= np.float32(black)
        scaled *= np.float32(OPAQUE / white_range)
    scaled += np.float32(0.5)
    np.fmax(scaled, 0, out=scaled)  # fmax returns 0 for NaN
    return np.asarray(np.minimum(scaled, OPAQUE, out=scaled), np.uint8)


def _scale_integers(
    samples: NDArray[Any], layout: TiffLayout, full_scale: int
) -> NDArray[np.uint8]:
    """Scale integers to 0..255. Lab's channels a and b are signed (TIFF 6.0, section 23)."""
    scaled: NDArray[np.uint8] = np.rint(samples * np.float32(OPAQUE / full_scale)).astype(np.uint8)
    if layout.photometric == LAB:
        half = full_scale // 2
        signed = samples[..., 1:3].astype(np.int32)
        signed = np.where(signed > half, signed - full_scale - 1, signed)
        scaled[..., 1:3] = (
            np.clip(np.rint(signed * 128 / (half + 1)), -128, 127).astype(np.int8).view(np.uint8)
        )
    return scaled

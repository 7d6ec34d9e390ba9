"""Samples of a file and the light they stand for, highlights included.

A file's samples follow sRGB's curve (IEC 61966-2-1), which Display P3 shares. Light adds up,
samples do not. And where a lamp is blurred in a photo, it is far too dim: the file cuts off
at white what was many times as bright. So the range is first opened as tone mapping closed
it (E. Reinhard et al., "Photographic tone reproduction for digital images", SIGGRAPH 2002,
inverted as in F. Banterle et al., "Inverse tone mapping", GRAPHITE 2006): linear L becomes
H = L / (1 + d - L), and after the blur back again. Flat parts stay as they are, mid-tones
hardly move, and a highlight becomes the bright disc that a camera makes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import RgbF32, RgbU8

DELTA = 0.125
"""d: white counts for as much light as 1 / d = 8 times the brightest that is not clipped."""
FINE = 1 << 14
"""Entries of the table back, by the square root of L, as near to even steps as is cheap."""


def srgb_to_linear(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Decode sRGB's curve; both sides in 0..1."""
    low = samples <= 0.04045  # noqa: PLR2004 - the standard's own constants
    return np.where(low, samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Encode with sRGB's curve; both sides in 0..1."""
    low = light <= 0.0031308  # noqa: PLR2004 - the standard's own constants
    return np.where(low, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _exposed() -> NDArray[np.float32]:
    level = srgb_to_linear(np.arange(256) / 255)
    return (level / (1 + DELTA - level)).astype(np.float32)


TO_LINEAR: NDArray[np.float32] = _exposed()
"""H by a sample's value, (256,)."""

_DEVELOPED: NDArray[np.uint8] = np.rint(
    255 * linear_to_srgb((np.arange(FINE + 1) / FINE) ** 2)
).astype(np.uint8)


def from_linear(light: RgbF32) -> RgbU8:
    """Return the samples, 0..255, for H, (..., 3), by L = (1 + d) * H / (1 + H)."""
    light = np.maximum(light, 0)  # a convolution by Fourier transform ends just below 0
    level = np.sqrt((1 + DELTA) * light / (1 + light))
    samples: RgbU8 = _DEVELOPED[np.minimum(FINE * level + 0.5, FINE).astype(np.intp)]
    return samples

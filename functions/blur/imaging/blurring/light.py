"""Convert samples to linear light and back, with clipped highlights expanded.

A blur computes a mean of light, but a file's samples are not proportional to light: they follow
sRGB's curve (IEC 61966-2-1), which Display P3 uses too. A lamp in a photo is clipped at white, but
was many times as bright, so its blur would be far too dim. The range is therefore first expanded by
the inverse of tone mapping (E. Reinhard et al., "Photographic tone reproduction for digital
images", SIGGRAPH 2002, inverted as in F. Banterle et al., "Inverse tone mapping", GRAPHITE 2006):
linear L becomes H = L / (1 + d - L), and is compressed again after the blur. Flat areas keep their
values, mid-tones change little, and a highlight becomes a bright disc, as in a camera.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import FloatArray, RgbF32, RgbU8

DELTA = 0.125
"""The constant d of the expansion, which makes white 1 / d = 8 times as bright."""
TABLE_SIZE = 1 << 14
"""The largest index of the table that converts light to samples. The table's index is the
square root of the light, because the samples are nearly proportional to this root."""


def srgb_to_linear(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Decode sRGB's curve, 0..1 to 0..1."""
    low = samples <= 0.04045  # noqa: PLR2004 - constants of the standard
    return np.where(low, samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert linear light to samples of sRGB; both are 0..1."""
    low = light <= 0.0031308  # noqa: PLR2004 - constants of the standard
    return np.where(low, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def _expanded_light() -> FloatArray:
    level = srgb_to_linear(np.arange(256) / 255)
    return (level / (1 + DELTA - level)).astype(np.float32)


TO_LINEAR: FloatArray = _expanded_light()
"""H, the linear light after the expansion, for each value of a sample, (256,)."""

_FROM_LINEAR: NDArray[np.uint8] = np.rint(
    255 * linear_to_srgb((np.arange(TABLE_SIZE + 1) / TABLE_SIZE) ** 2)
).astype(np.uint8)


def from_linear(light: RgbF32) -> RgbU8:
    """Return the samples, 0..255, for expanded light H of any shape: L = (1 + d) H / (1 + H)."""
    light = np.maximum(light, 0)  # a convolution by Fourier transform can give negative values
    root = np.sqrt((1 + DELTA) * light / (1 + light))
    samples: RgbU8 = _FROM_LINEAR[np.minimum(TABLE_SIZE * root + 0.5, TABLE_SIZE).astype(np.intp)]
    return samples


_U16 = DELTA * ((1 << 16) - 2)
"""The factor that converts expanded light H to 16-bit integers. White, H = 1 / d, becomes slightly
less than the maximum of 16 bits, so that rounding does not exceed the maximum."""

TO_LINEAR_U16: NDArray[np.uint16] = np.rint(_U16 * TO_LINEAR).astype(np.uint16)
"""The expanded light H of each possible sample 0..255, (256,), as 16-bit integers."""


def _from_linear_u16() -> NDArray[np.uint8]:
    light = np.arange(1 << 16) / _U16
    level = np.minimum((1 + DELTA) * light / (1 + light), 1)
    return np.rint(255 * linear_to_srgb(level)).astype(np.uint8)


_FROM_LINEAR_U16: NDArray[np.uint8] = _from_linear_u16()


def from_linear_u16(light: NDArray[np.uint16]) -> RgbU8:
    """Return the samples, 0..255, for expanded light H, (..., 3), scaled as in `TO_LINEAR_U16`.

    This function is ten times as fast as `from_linear`.
    """
    samples: RgbU8 = cv2.LUT(light, _FROM_LINEAR_U16)
    return samples


def from_linear_fast(light: RgbF32) -> RgbU8:
    """Return the result of `from_linear`, but faster, with 16-bit integers.

    A dark sample can differ by 1 from the sample of `from_linear`.
    """
    return from_linear_u16((light * np.float32(_U16) + np.float32(0.5)).astype(np.uint16))

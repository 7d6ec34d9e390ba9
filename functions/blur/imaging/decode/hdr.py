"""Tone-map high dynamic range (PQ and HLG, ITU-R BT.2100) to standard range (ITU-R BT.2390).

The unit of light is HDR reference white, 203 cd/m² (ITU-R BT.2408). If no light of an image is
brighter, the light does not change, and reference white becomes white in the result. Otherwise, the
EETF of BT.2390 (5.4.1) compresses the light, so that the image's peak becomes white. The EETF is
applied to the largest of a pixel's R, G and B, and all three are multiplied by the same factor, so
hues do not change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import cv2
import numpy as np

from blur.imaging.decode.icc import conversion_matrix, xyz_matrix
from blur.imaging.strips import for_each_strip, row_strips

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from blur.imaging.arrays import RgbU8
    from blur.imaging.decode.icc import Primaries

Transfer: TypeAlias = Literal["pq", "hlg"]
PQ: Transfer = "pq"
HLG: Transfer = "hlg"

WHITE_NITS = 203
HLG_PEAK_NITS, HLG_SYSTEM_GAMMA = 1000, 1.2
"""The peak and the system gamma of the display for which HLG is rendered (BT.2100, table 5)."""
OUTLIERS = 0.0005
"""The search for the peak ignores this fraction of all pixels: the brightest ones."""
PEAK_ROWS = 1000
"""In an image with at least twice this number of rows, only every n-th row is searched for the
peak: n is the height divided by this number, rounded down."""
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
_HLG_PEAK = HLG_PEAK_NITS / WHITE_NITS
_TABLE_SIZE = 1 << 16
"""The number of entries in each lookup table."""


def pq_to_nits(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply the EOTF of PQ to 0..1 (BT.2100, table 4)."""
    root = np.clip(samples, 0, 1) ** (1 / _M2)
    light: NDArray[np.float64] = np.maximum(root - _C1, 0) / (_C2 - _C3 * root)
    return 10_000 * light ** (1 / _M1)


def nits_to_pq(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert `pq_to_nits`."""
    root = np.clip(nits / 10_000, 0, 1) ** _M1
    samples: NDArray[np.float64] = ((_C1 + _C2 * root) / (1 + _C3 * root)) ** _M2
    return samples


def hlg_to_scene(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Apply the inverse OETF of HLG to 0..1; return scene light, 0..1 (BT.2100, table 5)."""
    return np.where(samples <= 0.5, samples**2 / 3, (np.exp((samples - _C) / _A) + _B) / 12)  # noqa: PLR2004 - up to 0.5, the curve is a square root


def roll_off(nits: NDArray[np.float64], peak_nits: float) -> NDArray[np.float64]:
    """Compress 0..`peak_nits` to 0..`WHITE_NITS` by the EETF of BT.2390 (5.4.1)."""
    if peak_nits <= WHITE_NITS:
        return np.minimum(nits, WHITE_NITS)
    peak, white = nits_to_pq(np.array([peak_nits, WHITE_NITS], float))
    source = np.clip(nits_to_pq(nits) / peak, 0, 1)
    maximum = white / peak
    knee = 1.5 * maximum - 0.5
    t = np.clip((source - knee) / (1 - knee), 0, 1)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (-2 * t**3 + 3 * t**2) * maximum
    )
    return pq_to_nits(np.where(source < knee, source, spline) * peak)


def tone_map(
    samples: NDArray[np.unsignedinteger], transfer: Transfer, source: Primaries, target: Primaries
) -> RgbU8:
    """Convert HDR samples, (H, W, 3), of 8 or 16 bits to 8-bit colours with sRGB's curve."""
    full_scale = int(np.iinfo(samples.dtype).max)
    codes = np.arange(full_scale + 1) / full_scale
    is_hlg = transfer == HLG
    light = hlg_to_scene(codes) if is_hlg else pq_to_nits(codes) / WHITE_NITS
    table = light.astype(np.float32)
    peak = float(light[_peak_code(samples)])
    peak = peak**HLG_SYSTEM_GAMMA * _HLG_PEAK if is_hlg else peak
    gains = _LookupTable(lambda values: _gain(values, peak), max(peak, 1.0))
    ootf = _LookupTable(lambda values: _HLG_PEAK * values ** (HLG_SYSTEM_GAMMA - 1), 1.0)
    luminance = xyz_matrix(source)[1:2].astype(np.float32)
    matrix = (conversion_matrix(source, target) * (_TABLE_SIZE - 1)).astype(np.float32)
    levels = encode_srgb(np.linspace(0, 1, _TABLE_SIZE))
    pixels = np.empty(samples.shape, np.uint8)

    def map_rows(rows: slice) -> None:
        linear = np.take(table, samples[rows])
        if is_hlg:  # from scene light to display light
            linear *= ootf.at(cv2.transform(linear, luminance))[..., np.newaxis]
        linear *= gains.at(_largest(linear))[..., np.newaxis]
        mapped = cv2.transform(linear, matrix)
        np.clip(mapped, 0, _TABLE_SIZE - 1, out=mapped)
        pixels[rows] = np.take(levels, mapped.astype(np.uint16))

    for_each_strip(samples.shape, map_rows)
    return pixels


def _peak_code(samples: NDArray[np.unsignedinteger]) -> int:
    """Return the image's highest sample, not counting the brightest pixels (see `OUTLIERS`)."""
    histogram = np.zeros(int(np.iinfo(samples.dtype).max) + 1, np.int64)
    step = max(1, samples.shape[0] // PEAK_ROWS)
    sampled = samples[::step]
    for rows in row_strips(sampled.shape[0], sampled.shape[1]):
        histogram += np.bincount(_largest(sampled[rows]).ravel(), minlength=histogram.size)
    above = np.cumsum(histogram[::-1])[::-1]
    return int(np.flatnonzero(above > OUTLIERS * above[0])[-1])


def _largest(samples: NDArray[Any]) -> NDArray[Any]:
    """Return the largest of R, G and B of each pixel; `np.max` takes ten times as long."""
    red, green, blue = samples[..., 0], samples[..., 1], samples[..., 2]
    return np.asarray(np.maximum(np.maximum(red, green), blue))


def _gain(light: NDArray[np.float64], peak: float) -> NDArray[np.float64]:
    """Return the factor by which each value of `light` is multiplied to compress highlights.

    `light` and `peak` are multiples of the luminance of white.
    """
    mapped = roll_off(light * WHITE_NITS, peak * WHITE_NITS) / WHITE_NITS
    return np.divide(mapped, light, out=np.ones_like(light), where=light > 0)


_Function: TypeAlias = "Callable[[NDArray[np.float64]], NDArray[np.float64]]"


class _LookupTable:
    """A function of light as a table up to `maximum`; above, the values fall as 1 / light."""

    def __init__(self, function: _Function, maximum: float) -> None:
        self._maximum, self._scale = maximum, (_TABLE_SIZE - 1) / maximum**0.5
        self._table = function((np.arange(_TABLE_SIZE) / self._scale) ** 2).astype(np.float32)

    def at(self, light: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the values of the tabulated function at `light`."""
        position = np.sqrt(np.minimum(light, self._maximum))
        position *= self._scale
        values = np.take(self._table, position.astype(np.uint16))
        return values * np.minimum(1, self._maximum / np.maximum(light, self._maximum))


def encode_srgb(light: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Encode linear light, 0..1, with sRGB's curve (IEC 61966-2-1): uint8, 0..255."""
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)  # noqa: PLR2004 - constants of the standard
    return np.asarray(np.rint(255 * np.clip(encoded, 0, 1)), np.uint8)

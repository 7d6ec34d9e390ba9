"""How colours are encoded where a file has no ICC profile: primaries and a transfer function.

Pictures of standard dynamic range keep their pixels and get a profile that is made for them; those
of a plain exponent are brought to sRGB's curve. High dynamic range is tone-mapped (`hdr.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from blur.imaging.decode.hdr import HLG, PQ, Transfer, encode_srgb, tone_map
from blur.imaging.decode.icc import (
    ADOBE_RGB,
    ADOBE_RGB_CURVE,
    BT709_CURVE,
    BT2020,
    DCI_P3,
    DISPLAY_P3,
    SRGB,
    SRGB_CURVE,
    Curve,
    Primaries,
    build_profile,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from blur.imaging.arrays import RgbU8

_PRIMARIES = {9: BT2020, 11: DCI_P3, 12: DISPLAY_P3}
"""By ITU-T H.273's number. Those of television count as sRGB's, which are close."""
_TELEVISION = (1, 6, 14, 15)
_EXPONENTS = {4: 2.2, 5: 2.8, 8: 1.0}
_HDR = {16: PQ, 18: HLG}
_SAME = 0.002
"""By how much chromaticities can differ and mean the same primaries: files round them."""
_SRGB_EXPONENT = 1 / 0.45455
_SAME_EXPONENT = 0.05
"""PNG writers store 0.45455 for sRGB's curve, or 0.45 and 0.46."""


class ColourSpace(NamedTuple):
    """Primaries, and one of: a curve that profiles have, an exponent, an HDR transfer."""

    primaries: Primaries = SRGB
    curve: Curve = SRGB_CURVE
    exponent: float | None = None
    """Light is samples to this power; None where the curve applies."""
    hdr: Transfer | None = None

    @property
    def needs_16bit(self) -> bool:
        """Whether samples of 16 bits come out better than those of 8."""
        return self.hdr is not None or self.exponent is not None


ADOBE_RGB_SPACE = ColourSpace(ADOBE_RGB, ADOBE_RGB_CURVE)


def from_cicp(primaries: int, transfer: int) -> ColourSpace:
    """Return the encoding of two numbers of ITU-T H.273 (8.1 and 8.2)."""
    known = _PRIMARIES.get(primaries, SRGB)
    if transfer in _HDR:
        return ColourSpace(known, hdr=_HDR[transfer])
    if transfer in _EXPONENTS:
        return ColourSpace(known, exponent=_EXPONENTS[transfer])
    is_television = transfer in _TELEVISION and known is not SRGB
    return ColourSpace(known, BT709_CURVE if is_television else SRGB_CURVE)


def from_gamma(gamma: float, primaries: Primaries | None) -> ColourSpace:
    """Return the encoding of a PNG's gAMA and cHRM (PNG, third edition, 11.3.2)."""
    near = next(
        (one for one in (SRGB, DISPLAY_P3, BT2020, ADOBE_RGB) if _same(one, primaries)), None
    )
    known = near or primaries or SRGB
    exponent = 1 / gamma
    if abs(exponent - _SRGB_EXPONENT) < _SAME_EXPONENT:
        return ADOBE_RGB_SPACE if known is ADOBE_RGB else ColourSpace(known)
    return ColourSpace(known, exponent=exponent)


def _same(one: Primaries, other: Primaries | None) -> bool:
    return other is not None and bool(np.abs(np.subtract(one, other)).max() < _SAME)


def to_8bit(
    samples: NDArray[np.unsignedinteger], encoding: ColourSpace
) -> tuple[RgbU8, bytes | None]:
    """Return 8-bit colours of 8- or 16-bit samples (H, W, 3), and the profile they are in."""
    if encoding.hdr is not None:
        target = SRGB if encoding.primaries is SRGB else DISPLAY_P3
        return tone_map(samples, encoding.hdr, encoding.primaries, target), icc_profile_of(
            ColourSpace(target)
        )
    if encoding.exponent is not None:
        full = np.iinfo(samples.dtype).max
        light = (np.arange(full + 1) / full) ** encoding.exponent
        return encode_srgb(light)[samples], icc_profile_of(ColourSpace(encoding.primaries))
    return samples.astype(np.uint8, copy=False), icc_profile_of(encoding)


def icc_profile_of(encoding: ColourSpace) -> bytes | None:
    """Return the profile of an encoding that has a curve; None is sRGB."""
    if encoding.primaries is SRGB:
        return None
    return build_profile(_NAMES.get(encoding.primaries, "RGB"), encoding.primaries, encoding.curve)


_NAMES = {
    BT2020: "BT.2020",
    DCI_P3: "DCI-P3",
    DISPLAY_P3: "Display P3",
    ADOBE_RGB: "Compatible with Adobe RGB (1998)",
}

"""The colour space of a file without an ICC profile: primaries and a transfer function.

The transfer function determines the conversion. For a curve that an ICC profile can contain, images
keep their samples and get a profile for their colour space. For an exponent, the samples are
converted to sRGB's curve. For high dynamic range, images are tone-mapped (`hdr.py`).
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
"""Primaries by their number in ITU-T H.273. All other primaries are treated as the primaries of
sRGB; the primaries of television are close to these."""
_TELEVISION = (1, 6, 14, 15)
_EXPONENTS = {4: 2.2, 5: 2.8, 8: 1.0}
_HDR = {16: PQ, 18: HLG}


class ColourSpace(NamedTuple):
    """Primaries and a transfer function: a profile's curve, an exponent or an HDR function."""

    primaries: Primaries = SRGB
    curve: Curve = SRGB_CURVE
    exponent: float | None = None
    """Light is the sample raised to this power; None if `curve` or `hdr` is used instead."""
    hdr: Transfer | None = None

    @property
    def needs_16bit(self) -> bool:
        """Whether the conversion to 8 bits needs 16-bit samples."""
        return self.hdr is not None or self.exponent is not None


ADOBE_RGB_SPACE = ColourSpace(ADOBE_RGB, ADOBE_RGB_CURVE)


def from_cicp(primaries: int, transfer: int) -> ColourSpace:
    """Return the colour space for two numbers from ITU-T H.273 (8.1 and 8.2)."""
    known_primaries = _PRIMARIES.get(primaries, SRGB)
    if transfer in _HDR:
        return ColourSpace(known_primaries, hdr=_HDR[transfer])
    if transfer in _EXPONENTS:
        return ColourSpace(known_primaries, exponent=_EXPONENTS[transfer])
    is_television = transfer in _TELEVISION and known_primaries is not SRGB
    return ColourSpace(known_primaries, BT709_CURVE if is_television else SRGB_CURVE)


def to_8bit(
    samples: NDArray[np.unsignedinteger], colour_space: ColourSpace
) -> tuple[RgbU8, bytes | None]:
    """Convert 8- or 16-bit samples, (H, W, 3), to 8 bits; return the colours and their profile."""
    if colour_space.hdr is not None:
        target = SRGB if colour_space.primaries is SRGB else DISPLAY_P3
        return tone_map(samples, colour_space.hdr, colour_space.primaries, target), icc_profile_of(
            ColourSpace(target)
        )
    if colour_space.exponent is not None:
        full_scale = np.iinfo(samples.dtype).max
        light = (np.arange(full_scale + 1) / full_scale) ** colour_space.exponent
        return encode_srgb(light)[samples], icc_profile_of(ColourSpace(colour_space.primaries))
    return samples.astype(np.uint8, copy=False), icc_profile_of(colour_space)


def icc_profile_of(colour_space: ColourSpace) -> bytes | None:
    """Return the ICC profile for a colour space with a transfer curve; None means sRGB."""
    if colour_space.primaries is SRGB:
        return None
    return build_profile(
        _NAMES.get(colour_space.primaries, "RGB"), colour_space.primaries, colour_space.curve
    )


_NAMES = {
    BT2020: "BT.2020",
    DCI_P3: "DCI-P3",
    DISPLAY_P3: "Display P3",
    ADOBE_RGB: "Compatible with Adobe RGB (1998)",
}

"""Build ICC profiles from primaries and a curve, and repair profile headers (ICC.1:2022)."""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


_MIN_DETERMINANT = 1e-4
"""Three primaries count as points on one line if the absolute value of the determinant of their
matrix is smaller than this value."""


class Primaries(NamedTuple):
    """The chromaticities x, y of red, green, blue and white."""

    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]
    white: tuple[float, float] = (0.3127, 0.3290)

    @property
    def is_possible(self) -> bool:
        """Whether positive amounts of the primaries add up to the white."""
        if any(y <= 0 or x < 0 or x + y > 1 for x, y in self):
            return False
        xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in self]).T
        if abs(np.linalg.det(xyz[:, :3])) < _MIN_DETERMINANT:
            return False
        return bool((np.linalg.solve(xyz[:, :3], xyz[:, 3]) > 0).all())


SRGB = Primaries((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
DISPLAY_P3 = Primaries((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
DCI_P3 = Primaries((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.314, 0.351))
BT2020 = Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
ADOBE_RGB = Primaries((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))

Curve = tuple[float, ...]
"""The parameters g, a, b, c, d of a curve: (a x + b)^g for x >= d, and c x for x < d (10.18)."""
SRGB_CURVE: Curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
BT709_CURVE: Curve = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
ADOBE_RGB_CURVE: Curve = (563 / 256, 1, 0, 0, 0)

_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_VERSION_4 = 0x04300000
_INTENT = slice(64, 68)
_INTENTS = 4
"""The number of rendering intents: perceptual, relative, saturation and absolute are 0 to 3
(7.2.15)."""
_ALIGNED_FROM_MAJOR = 4
"""If a profile's major version is at least this, the profile's length is divisible by 4 (7.2.2)."""


def xyz_matrix(primaries: Primaries) -> NDArray[np.float64]:
    """Return the matrix from linear RGB to XYZ, with Y = 1 for white."""
    xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    return np.asarray(xyz[:, :3] * np.linalg.solve(xyz[:, :3], xyz[:, 3]), np.float64)


def conversion_matrix(source: Primaries, target: Primaries) -> NDArray[np.float64]:
    """Return the matrix from linear RGB with the source's primaries to RGB with the target's."""
    adapted = _adaptation(_white_xyz(source.white), _white_xyz(target.white)) @ xyz_matrix(source)
    return np.asarray(np.linalg.solve(xyz_matrix(target), adapted), np.float64)


def _white_xyz(white: tuple[float, float]) -> tuple[float, float, float]:
    x, y = white
    return x / y, 1.0, (1 - x - y) / y


def _adaptation(
    source: tuple[float, float, float], target: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Return Bradford's adaptation matrix between two white points (ICC.1:2022, annex E)."""
    scale = (_BRADFORD @ target) / (_BRADFORD @ source)
    return np.linalg.solve(_BRADFORD, scale[:, np.newaxis] * _BRADFORD)


@cache
def build_profile(name: str, primaries: Primaries, curve: Curve) -> bytes:
    """Return a display profile with these primaries and this curve (8.3.3)."""
    adaptation = _adaptation(_white_xyz(primaries.white), _D50)
    colorants = adaptation @ xyz_matrix(primaries)
    response = b"para" + bytes(4) + struct.pack(">HH", 3, 0) + _fixed(*curve)
    tags = {
        b"desc": _text(name),
        b"cprt": _text("CC0"),
        b"wtpt": b"XYZ " + bytes(4) + _fixed(*_D50),
        b"chad": b"sf32" + bytes(4) + _fixed(*adaptation.ravel()),
    }
    for index, channel in enumerate((b"r", b"g", b"b")):
        tags[channel + b"XYZ"] = b"XYZ " + bytes(4) + _fixed(*colorants[:, index])
        tags[channel + b"TRC"] = response
    return _pack_profile(tags)


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 0x10000) for value in values))


def _text(text: str) -> bytes:
    """Return a multiLocalizedUnicodeType tag with a text in one language (ICC.1:2022, 10.15)."""
    encoded = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">LL4sLL", 1, 12, b"enUS", len(encoded), 28) + encoded


def _pack_profile(tags: dict[bytes, bytes]) -> bytes:
    table, body, first = struct.pack(">L", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        table += struct.pack(">4sLL", tag, first + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    kind = struct.pack(">L4s4s4s", _VERSION_4, b"mntr", b"RGB ", b"XYZ ")
    date = struct.pack(">6H", 2024, 1, 1, 0, 0, 0)
    header = bytes(8) + kind + date + b"acsp" + bytes(28) + _fixed(*_D50)
    return repair_header(header.ljust(128, b"\0") + table + body)


def repair_header(profile: bytes) -> bytes:
    """Return the profile with a valid length and rendering intent, which libpng requires.

    If the intent is not valid, its bytes are read in little-endian order. If it is then still not
    valid, the intent becomes perceptual.
    """
    if profile[8:9] >= bytes((_ALIGNED_FROM_MAJOR,)):
        profile += bytes(-len(profile) % 4)
    intent = int.from_bytes(profile[_INTENT])
    if intent >= _INTENTS:
        swapped = int.from_bytes(profile[_INTENT], "little")
        intent = swapped if swapped < _INTENTS else 0
    size = len(profile).to_bytes(4)
    return size + profile[4 : _INTENT.start] + intent.to_bytes(4) + profile[_INTENT.stop :]

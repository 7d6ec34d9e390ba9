"""The smallest ICC profiles that LittleCMS accepts, for tests."""

from __future__ import annotations

import struct
from itertools import product

from PIL import ImageCms

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
D50 = struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)


def in_space(profile: bytes, space: bytes) -> bytes:
    """Return the profile with the colour space `space` in its header, and with unchanged tags."""
    return profile[:16] + space + profile[20:]


def grey_profile(gamma: float) -> bytes:
    """Return a grey profile with a gamma (ICC.1:2001-04, 6.3.1)."""
    curve = b"curv\x00\x00\x00\x00" + struct.pack(">IH2x", 1, round(gamma * 256))
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": curve})


def cmyk_profile(*, cyan_prints_red: bool) -> bytes:
    """Return a CMYK profile in which the cyan ink is cyan or red, and the black ink is black.

    It is an 8-bit table (ICC.1:2001-04, 6.5.8) with a Lab colour for each mixture of full inks.
    """
    red, cyan, white, black = (138, 209, 198), (156, 78, 92), (255, 128, 128), (0, 128, 128)
    ink = red if cyan_prints_red else cyan
    corners = b"".join(
        bytes(black if k else ink if c else white) for c, _, _, k in product((0, 1), repeat=4)
    )
    identity = bytes(range(256))
    matrix = struct.pack(">9i", *(0x10000 if index % 4 == 0 else 0 for index in range(9)))
    table = b"mft1\x00\x00\x00\x00" + bytes((4, 3, 2, 0)) + matrix
    table += identity * 4 + corners + identity * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table})


def display_p3() -> bytes:
    """Return a profile of Display P3, with primaries adapted to D50 and the curve of sRGB."""
    colorants = {
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
    }
    tags = {tag: b"XYZ \x00\x00\x00\x00" + _fixed(*xyz) for tag, xyz in colorants.items()}
    curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    parametric = b"para\x00\x00\x00\x00" + struct.pack(">HH", 3, 0) + _fixed(*curve)
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), parametric)
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def _fixed(*values: float) -> bytes:
    """Pack numbers as s15Fixed16 (ICC.1:2001-04, 5.3.2)."""
    return struct.pack(f">{len(values)}i", *(round(value * 0x10000) for value in values))


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    name = b"desc\x00\x00\x00\x00" + struct.pack(">I", 5) + b"test\x00" + bytes(79)
    white = b"XYZ \x00\x00\x00\x00" + D50
    tags = {b"desc": name, b"cprt": b"text\x00\x00\x00\x00none\x00", b"wtpt": white} | tags
    table, body = struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        start = 128 + 4 + 12 * len(tags) + len(body)
        table += tag + struct.pack(">2I", start, len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(">4sI4s4s4s", b"lcms", 0x02100000, kind, space, connection)
    header += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + D50
    size = struct.pack(">I", 128 + len(table) + len(body))
    return (size + header).ljust(128, b"\x00") + table + body

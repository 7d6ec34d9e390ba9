"""Small files that contain a JPEG with many scans: a decoder processes scan after scan."""

from __future__ import annotations

import struct

from tests.attack.chunks import LONG, SHORT, Entry, directory, segment
from tests.attack.damaged_files import sample

SCAN = segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + b"\x7f"
"""A scan that changes no pixel: it has only codes for the end of a block."""


def scans() -> bytes:
    """Return a JPEG with 5,000 additional scans that change nothing."""
    progressive = sample("progressive jpeg")
    return progressive[:-2] + SCAN * 5_000 + progressive[-2:]


def scanned(side: int, scans: int) -> bytes:
    """Return a progressive JPEG with short scans; for each scan, a decoder visits every block.

    The first scan has the DC coefficients, one bit each. Each of the other scans has a single
    frequency of one component, coded as runs of 32,767 blocks without a coefficient.
    """
    blocks = (-(-side // 8)) ** 2
    frame = struct.pack(">BHHB", 8, side, side, 3) + b"".join(
        bytes([c, 0x11, 0]) for c in (1, 2, 3)
    )
    tables = _huffman(0x00, 0) + _huffman(0x10, 0xE0)
    runs = _packed("0" + "1" * 14, -(-blocks // 32_767))
    first = segment(0xDA, bytes([3, 1, 0, 2, 0, 3, 0, 0, 0, 0])) + bytes(-(-3 * blocks // 8))
    more = b"".join(
        segment(0xDA, bytes([1, 1 + number // 63, 0, 1 + number % 63, 1 + number % 63, 0])) + runs
        for number in range(scans - 1)
    )
    quantizers = segment(0xDB, bytes([0]) + bytes([1]) * 64)
    return b"\xff\xd8" + quantizers + segment(0xC2, frame) + tables + first + more + b"\xff\xd9"


def _huffman(kind: int, symbol: int) -> bytes:
    """Return a Huffman table with the code 0 for `symbol`, and the code 10 for the symbol 1."""
    return segment(0xC4, bytes([kind, 1, 1, *[0] * 14, symbol, 1]))


def _packed(code: str, count: int) -> bytes:
    bits = code * count
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8).replace(b"\xff", b"\xff\0")


def scanned_tiff(side: int, scans: int) -> bytes:
    """Return a TIFF whose only strip is the JPEG that `scanned` returns."""
    data = scanned(side, scans)
    entries: list[Entry] = [
        (256, LONG, 1, side),
        (257, LONG, 1, side),
        (258, SHORT, 3, struct.pack("<HHHH", 8, 8, 8, 0)),
        (259, SHORT, 1, 7),
        (262, SHORT, 1, 6),
        (277, SHORT, 1, 3),
        (278, LONG, 1, side),
        (279, LONG, 1, len(data)),
        (530, SHORT, 2, struct.pack("<HH", 1, 1)),
    ]
    start = len(directory([*entries, (273, LONG, 1, 0)]))
    return directory([*entries, (273, LONG, 1, start)]) + data

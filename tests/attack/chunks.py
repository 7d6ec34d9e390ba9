"""Parts of malicious files: chunks, segments, boxes, directories."""

from __future__ import annotations

import struct
import zlib
from itertools import starmap

from blur.imaging.encode.png import SIGNATURE

BYTE, ASCII, SHORT, LONG, UNDEFINED = 1, 2, 3, 4, 7
"""The types of a TIFF's values (TIFF 6.0, section 2)."""
Entry = tuple[int, int, int, "int | bytes"]
"""A TIFF tag, the type and the number of its values, and the values or an offset to them."""
BLOCK = bytes(1 << 20)


def zeros(count: int) -> bytes:
    """Return this number of zero bytes, deflated; equal blocks are compressed only once."""
    packer = zlib.compressobj(9)
    start = packer.compress(BLOCK) + packer.flush(zlib.Z_FULL_FLUSH)
    blocks, rest = divmod(count, len(BLOCK))
    again = packer.compress(BLOCK) + packer.flush(zlib.Z_FULL_FLUSH)
    middle = again * (blocks - 1) if blocks else b""
    start = start if blocks else start[:2]
    end = zlib.compress(bytes(rest), 9)[2:-4]
    return start + middle + end + struct.pack(">HH", count % 65521, 1)  # Adler-32 (RFC 1950)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(side: tuple[int, int], *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    """Return a PNG of zeros; `colour` is its colour type, `depth` its bits per sample."""
    width, height = side
    samples = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    row = 1 + -(-width * samples * depth // 8)
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = png_chunk(b"IDAT", zeros(row * height)) + png_chunk(b"IEND", b"")
    return SIGNATURE + head + b"".join(chunks) + body


def directory(entries: list[Entry], after: int = 0) -> bytes:
    """Return a TIFF of one directory and its values; `after` is the next directory's offset."""
    at = 8 + 2 + 12 * len(entries) + 4
    packed, values = b"", b""
    for tag, kind, count, value in sorted(entries, key=lambda entry: entry[0]):
        inline = struct.pack("<I", value) if isinstance(value, int) else value.ljust(4, b"\0")
        if len(inline) > 4:
            inline, values = struct.pack("<I", at + len(values)), values + inline
        packed += struct.pack("<HHI", tag, kind, count) + inline
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return head + packed + struct.pack("<I", after) + values


def tiff(  # noqa: PLR0913 - one argument for each property of the file
    side: tuple[int, int],
    data: bytes,
    *more: Entry,
    deflated: bool = False,
    bits: int = 8,
    after: int = 0,
    place: int = 273,
) -> bytes:
    """Return a grey TIFF with one strip of data, or one tile if `place` is 324 (TileOffsets)."""
    entries: list[Entry] = [
        (256, LONG, 1, side[0]),
        (257, LONG, 1, side[1]),
        (258, SHORT, 1, bits),
        (259, SHORT, 1, 8 if deflated else 1),
        (262, SHORT, 1, 1),
        (277, SHORT, 1, 1),
        *more,
    ]
    named = {tag for tag, *_ in entries}
    if place not in named:
        long = sum(len(value) for *_, value in more if isinstance(value, bytes) and len(value) > 4)
        at = 8 + 2 + 12 * (len(entries) + 2) + 4 + long
        entries += [(place, LONG, 1, at), (279 if place == 273 else 325, LONG, 1, len(data))]
    return directory(entries, after) + data


def segment(marker: int, data: bytes) -> bytes:
    """Return a segment of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def zipped(name: bytes, content: bytes) -> bytes:
    """Return a ZIP archive of one uncompressed file; the archive can be appended to other data."""
    crc = zlib.crc32(content)
    common = struct.pack("<HHHHIIIHH", 20, 0, 0, 0, crc, len(content), len(content), len(name), 0)
    local = b"PK\3\4" + common + name + content
    central = b"PK\1\2" + struct.pack("<H", 20) + common + bytes(14) + name
    end = struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + b"PK\5\6" + end


def patched(data: bytes, *changes: tuple[bytes, bytes]) -> bytes:
    """Replace each `old` by its `new`, which has the same length; `old` must be in the data."""
    for old, new in changes:
        assert old in data, old
        assert len(old) == len(new)
        data = data.replace(old, new)
    return data


def sized(data: bytes, side: int, claimed: int) -> bytes:
    """Write the side `claimed` into the header of a square HEIC or AVIF (ISO/IEC 23008-12)."""
    (old, new) = starmap(struct.Struct(">II").pack, ((side, side), (claimed, claimed)))
    mark = b"ispe\0\0\0\0"
    return patched(data, (mark + old, mark + new))

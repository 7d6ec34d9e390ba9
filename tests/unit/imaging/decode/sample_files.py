"""Make sample files as phones, cameras and editors write them, from files that Pillow wrote."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageCms
from tests.unit.imaging.pictures import saved

from blur.imaging.decode.boxes import boxes

if TYPE_CHECKING:
    from collections.abc import Mapping


def box(kind: bytes, body: bytes) -> bytes:
    """Return a box (ISO/IEC 14496-12, 4.2)."""
    return struct.pack(">L4s", 8 + len(body), kind) + body


def with_nclx(data: bytes, primaries: int, transfer: int) -> bytes:
    """Replace the primaries and the transfer function in the nclx box of a HEIC or AVIF."""
    offset = data.index(b"colrnclx") + 8
    return data[:offset] + struct.pack(">2H", primaries, transfer) + data[offset + 4 :]


def with_property(data: bytes, kind: bytes, body: bytes) -> bytes:
    """Add an essential property to the primary item of a HEIC or AVIF.

    The changed `meta` box is at the end, so that the offsets in the file stay valid.
    """
    meta = next(part for part in boxes(data) if part.kind == b"meta")
    inner = list(boxes(data, meta.body + 4, meta.end))
    pitm = next(part for part in inner if part.kind == b"pitm")
    primary = data[pitm.body + 4 : pitm.body + 6]
    iprp = next(part for part in inner if part.kind == b"iprp")
    ipco, ipma = boxes(data, iprp.body, iprp.end)
    number = sum(1 for _ in boxes(data, ipco.body, ipco.end)) + 1
    table = data[ipma.body : ipma.end]
    at = table.index(primary, 8)
    table = table[: at + 2] + bytes((table[at + 2] + 1,)) + table[at + 3 :]
    end = at + 3 + table[at + 2] - 1
    kinds = [part.kind for part in boxes(data, ipco.body, ipco.end)]
    turns = [n for n in range(at + 3, end) if kinds[(table[n] & 0x7F) - 1] in {b"irot", b"imir"}]
    position = min(turns, default=end)  # a crop precedes a rotation (MIAF, 7.3.6.7)
    table = table[:position] + bytes((0x80 | number,)) + table[position:]
    properties = box(b"ipco", data[ipco.body : ipco.end] + box(kind, body)) + box(b"ipma", table)
    changed = data[meta.body : iprp.start] + box(b"iprp", properties) + data[iprp.end : meta.end]
    return data[: meta.start + 4] + b"free" + data[meta.start + 8 :] + box(b"meta", changed)


def without_association(data: bytes, item: int, position: int) -> bytes:
    """Replace the property at `position` of an item by 0, which means no property.

    See ISO/IEC 14496-12, 8.11.14.
    """
    at = data.index(b"ipma") + 12
    while struct.unpack_from(">H", data, at)[0] != item:
        at += 3 + data[at + 2]
    return data[: at + 3 + position] + b"\0" + data[at + 4 + position :]


def clean_aperture(width: int, height: int, right: int = 0, down: int = 0) -> bytes:
    """Return the body of a `clap` box (ISO/IEC 14496-12, 12.1.4)."""
    return struct.pack(">4LlLlL", width, 1, height, 1, right, 1, down, 1)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG (PNG, third edition, 5.3)."""
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def png_with(image: Image.Image, *chunks: bytes) -> bytes:
    """Return a PNG with additional chunks before its pixels."""
    data = saved(image, "PNG")
    at = data.index(b"IDAT") - 4
    return data[:at] + b"".join(chunks) + data[at:]


def deep_png(samples: bytes, size: tuple[int, int], *chunks: bytes) -> bytes:
    """Return a PNG of 16-bit RGB, from samples in big endian."""
    row = size[0] * 6
    rows = b"".join(b"\0" + samples[at : at + row] for at in range(0, len(samples), row))
    header = struct.pack(">2L5B", *size, 16, 2, 0, 0, 0)
    parts = (png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join((png_chunk(b"IHDR", header), *chunks, *parts))


def segment(marker: int, data: bytes) -> bytes:
    """Return a segment of a JPEG (ITU-T T.81, B.1.1.4)."""
    return bytes((0xFF, marker)) + struct.pack(">H", 2 + len(data)) + data


def exif(*entries: tuple[int, int, int, bytes], order: str = "<", after: bytes = b"") -> bytes:
    """Return EXIF data with one directory; an entry is a tag, a type, a count and four bytes."""
    start = b"II*\0" if order == "<" else b"MM\0*"
    table = b"".join(struct.pack(f"{order}HHL4s", *entry) for entry in entries)
    head = start + struct.pack(f"{order}LH", 8, len(entries))
    return b"Exif\0\0" + head + table + bytes(4) + after


def tiff(
    entries: Mapping[int, tuple[str, tuple[int, ...] | bytes]], body: bytes = b"", order: str = "<"
) -> bytes:
    """Return a classic TIFF: `body` at offset 8, then a directory of entries by tag.

    An entry is a type (`B`, `H`, `L` or `s`) and its values.
    """
    kinds = {"B": 1, "H": 3, "L": 4, "s": 7}
    body += bytes(len(body) % 2)
    start = 8 + len(body)
    extra_at, table, extra = start + 2 + 12 * len(entries) + 4, b"", b""
    for tag, (code, values) in sorted(entries.items()):
        packed = (
            values
            if isinstance(values, bytes)
            else struct.pack(f"{order}{len(values)}{code}", *values)
        )
        value = packed.ljust(4, b"\0")
        if len(packed) > 4:
            value = struct.pack(f"{order}L", extra_at + len(extra))
            extra += packed + bytes(len(packed) % 2)
        table += struct.pack(f"{order}HHL", tag, kinds[code], len(values)) + value
    magic = b"II*\0" if order == "<" else b"MM\0*"
    count = struct.pack(f"{order}H", len(entries))
    return magic + struct.pack(f"{order}L", start) + body + count + table + bytes(4) + extra


def in_srgb(pixels: np.ndarray, profile: bytes | None) -> np.ndarray:
    """Convert colours with their profile to sRGB, as a viewer does."""
    if profile is None:
        return pixels
    image = ImageCms.profileToProfile(
        Image.fromarray(pixels),
        ImageCms.getOpenProfile(BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        outputMode="RGB",
    )
    assert image is not None
    return np.asarray(image)

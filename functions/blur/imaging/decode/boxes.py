"""Read the boxes of a HEIC or AVIF file: items and their properties.

The boxes are defined in ISO/IEC 14496-12 and 23008-12.

This module reads only values that the decoders do not apply or do not report, such as colour spaces
without a profile, the clean aperture, and the positions of metadata. It ignores broken boxes; the
decoder rejects files that have them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BOXES = 20_000
"""The maximum number of boxes that are read inside one box, or at the top level of a file. A file
with 500 tiles has about 1,000 boxes."""

HEADER_BYTES = 8
_APERTURE_BYTES = 32
_NUMBER_MASK = 0x7FFF
"""The bits of the property number in an association; the highest bit marks an essential property
(ISO/IEC 14496-12, 8.11.14)."""


class IsoBox(NamedTuple):
    """The type of a box, and the offsets of the box and its body in the file."""

    kind: bytes
    start: int
    body: int
    end: int


class Rectangle(NamedTuple):
    """A part of an image, in pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass
class Items:
    """The items of one `meta` box."""

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    """The type of each item, by the item's number."""
    kind_offsets: dict[int, int] = field(default_factory=dict)
    """The offset of each item's type in the file, by the item's number."""
    properties: list[IsoBox] = field(default_factory=list)
    """The properties, in the order of their numbers, which start at 1."""
    associations: dict[int, list[int]] = field(default_factory=dict)
    """The numbers of each item's properties, by the item's number."""
    references: list[tuple[IsoBox, int, list[int]]] = field(default_factory=list)
    """The box, the source item and the target items of each reference."""

    def properties_of(self, item: int) -> list[IsoBox]:
        """Return the properties of an item."""
        numbers = self.associations.get(item, [])
        return [self.properties[n - 1] for n in numbers if 0 < n <= len(self.properties)]


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[IsoBox]:
    """Yield the boxes from `start` to `end` (ISO/IEC 14496-12, 4.2), at most `MAX_BOXES`.

    If the last box is truncated, it ends at `end`.
    """
    end = len(data) if end is None else end
    for _ in range(MAX_BOXES):
        if start >= end:
            return
        size, body = int.from_bytes(data[start : start + 4]), start + HEADER_BYTES
        if size == 1:
            size, body = int.from_bytes(data[start + 8 : start + 16]), start + 16
        stop = min(start + size, end) if size >= HEADER_BYTES else end
        yield IsoBox(data[start + 4 : start + 8], start, min(body, stop), stop)
        start = stop


def read_items(data: bytes) -> Items:
    """Return the items of the file's first `meta` box; no items if the file has no `meta` box."""
    meta = next((box for box in boxes(data) if box.kind == b"meta"), None)
    return Items() if meta is None else read_meta_items(data, meta)


def read_meta_items(data: bytes, meta: IsoBox) -> Items:
    """Return the items of a `meta` box; broken boxes inside the `meta` box are skipped."""
    items = Items()
    for box in boxes(data, meta.body + 4, meta.end):
        reader = _READERS.get(box.kind)
        if reader is None:
            continue
        try:
            reader(data, box, items)
        except (struct.error, IndexError):
            continue
    return items


def _read_pitm(data: bytes, box: IsoBox, items: Items) -> None:
    (items.primary,) = struct.unpack_from(">L" if data[box.body] else ">H", data, box.body + 4)


def _read_iinf(data: bytes, box: IsoBox, items: Items) -> None:
    first = box.body + (8 if data[box.body] else 6)
    for entry in boxes(data, first, box.end):
        if entry.kind != b"infe" or data[entry.body] not in {2, 3}:
            continue
        wide = data[entry.body] == 3  # noqa: PLR2004 - the version with 32-bit item numbers
        (item,) = struct.unpack_from(">L" if wide else ">H", data, entry.body + 4)
        offset = entry.body + (10 if wide else 8)
        if offset + 4 <= entry.end:
            items.kinds[item], items.kind_offsets[item] = data[offset : offset + 4], offset


def _read_iref(data: bytes, box: IsoBox, items: Items) -> None:
    item = ">L" if data[box.body] else ">H"
    size = struct.calcsize(item)
    for reference in boxes(data, box.body + 4, box.end):
        (source,) = struct.unpack_from(item, data, reference.body)
        (count,) = struct.unpack_from(">H", data, reference.body + size)
        first = reference.body + size + 2
        count = min(count, max(0, reference.end - first) // size)
        targets = list(struct.unpack_from(f">{count}{item[1]}", data, first))
        items.references.append((reference, source, targets))


def _read_iprp(data: bytes, box: IsoBox, items: Items) -> None:
    for part in boxes(data, box.body, box.end):
        if part.kind == b"ipco":
            items.properties = list(boxes(data, part.body, part.end))
        elif part.kind == b"ipma":
            for item, numbers in read_associations(data, part):
                associations = items.associations.setdefault(item, [])
                associations += [number & _NUMBER_MASK for number in numbers]


def read_associations(data: bytes, box: IsoBox) -> Iterator[tuple[int, list[int]]]:
    """Yield each item's number and its associations.

    An association is the number of a property; its highest bit marks an essential property.
    """
    version, wide = data[box.body], data[box.body + 3] & 1
    (count,) = struct.unpack_from(">L", data, box.body + 4)
    at = box.body + 8
    for _ in range(min(count, MAX_BOXES)):
        if at >= box.end:
            return
        (item,) = struct.unpack_from(">L" if version else ">H", data, at)
        at += 4 if version else 2
        number, at = data[at], at + 1
        raw = struct.unpack_from(f">{number}{'H' if wide else 'B'}", data, at)
        at += number * (2 if wide else 1)
        yield item, list(raw) if wide else [(byte & 0x80) << 8 | byte & 0x7F for byte in raw]


_READERS = {b"pitm": _read_pitm, b"iinf": _read_iinf, b"iref": _read_iref, b"iprp": _read_iprp}


def read_nclx(data: bytes, items: Items) -> tuple[int, int] | None:
    """Return the colour primaries and transfer characteristics (ITU-T H.273), or None.

    Both values are in the properties of the primary item or of the primary item's first tile.
    """
    tiles = (
        tile
        for reference, item, targets in items.references
        if reference.kind == b"dimg" and item == items.primary
        for tile in targets[:1]
    )
    for box in (box for item in (items.primary, *tiles) for box in items.properties_of(item)):
        if box.kind == b"colr" and data[box.body : box.body + 4] == b"nclx":
            numbers = data[box.body + 4 : box.body + 8]
            return int.from_bytes(numbers[:2]), int.from_bytes(numbers[2:])
    return None


def read_bit_depth(data: bytes, items: Items) -> int:
    """Return the highest number of bits of a sample in the AV1 configurations (AV1-ISOBMFF, 2.3.3).

    The result is 8 if the file has no AV1 configuration.
    """
    flags = [data[box.body + 2] for box in items.properties if box.kind == b"av1C"]
    return max((12 if flag & 0x20 else 10 if flag & 0x40 else 8 for flag in flags), default=8)


def clean_aperture(data: bytes, items: Items, size: tuple[int, int]) -> Rectangle | None:
    """Return the part of the stored image that is displayed (ISO/IEC 14496-12, 12.1.4.1).

    None means that the whole image is displayed. The result is also None if the `clap` box is
    broken or its rectangle exceeds the image (MIAF, 7.3.6.7).
    """
    properties = items.properties_of(items.primary)
    box = next((candidate for candidate in properties if candidate.kind == b"clap"), None)
    if box is None or box.end - box.body < _APERTURE_BYTES:
        return None
    raw = struct.unpack_from(">4LlLlL", data, box.body)
    numerators, denominators = raw[::2], raw[1::2]
    if 0 in denominators:
        return None
    width, height, right, down = (n / d for n, d in zip(numerators, denominators, strict=True))
    left, top = (size[0] - width) / 2 + right, (size[1] - height) / 2 + down
    aperture = Rectangle(round(left), round(top), round(width), round(height))
    is_inside = left >= 0 and top >= 0 and left + width <= size[0] and top + height <= size[1]
    return aperture if is_inside and aperture.width > 0 and aperture.height > 0 else None

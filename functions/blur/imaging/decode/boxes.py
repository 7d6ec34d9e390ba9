"""The boxes of a HEIC or an AVIF: its items and their properties (ISO/IEC 14496-12 and 23008-12).

Only what decoders leave to their callers is read: colours without a profile, the clean aperture,
and where metadata are. A box that is broken is passed over; refusing it is the decoder's task.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BOXES = 20_000
"""Boxes of one level that are looked at: files of 500 tiles have about 1,000 of each."""

_HEADER_BYTES = 8
_APERTURE_BYTES = 32
_ESSENTIAL, _NUMBER = 0x8000, 0x7FFF
"""The two parts of an association, in its longer form (ISO/IEC 14496-12, 8.11.14)."""


class Box(NamedTuple):
    """One box, by the places of its parts in the file."""

    kind: bytes
    start: int
    body: int
    end: int


class Rectangle(NamedTuple):
    """A part of a picture, in pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass
class Items:
    """The items of one `meta` box."""

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    """Item type, by item."""
    kind_places: dict[int, int] = field(default_factory=dict)
    """The position of an item's type in the file."""
    properties: list[Box] = field(default_factory=list)
    """In the order of their numbers, which begin at 1."""
    associations: dict[int, list[int]] = field(default_factory=dict)
    """Numbers of properties, by item."""
    references: list[tuple[Box, int, list[int]]] = field(default_factory=list)
    """The box of each reference, the item that refers, and those that it refers to."""

    def of(self, item: int) -> list[Box]:
        """Return the properties of an item."""
        numbers = self.associations.get(item, [])
        return [self.properties[n - 1] for n in numbers if 0 < n <= len(self.properties)]


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield each box from `start` to `end` (ISO/IEC 14496-12, 4.2); the last can be cut short."""
    end = len(data) if end is None else end
    for _ in range(MAX_BOXES):
        if start >= end:
            return
        size, body = int.from_bytes(data[start : start + 4]), start + _HEADER_BYTES
        if size == 1:
            size, body = int.from_bytes(data[start + 8 : start + 16]), start + 16
        stop = min(start + size, end) if size >= _HEADER_BYTES else end
        yield Box(data[start + 4 : start + 8], start, min(body, stop), stop)
        start = stop


def read_items(data: bytes) -> Items:
    """Return the items of the file's first `meta` box; none where there is no such box."""
    meta = next((box for box in boxes(data) if box.kind == b"meta"), None)
    return Items() if meta is None else read_meta_items(data, meta)


def read_meta_items(data: bytes, meta: Box) -> Items:
    """Return the items that a `meta` box describes, as far as it can be read."""
    items = Items()
    for box in boxes(data, meta.body + 4, meta.end):
        read = _READERS.get(box.kind)
        if read is None:
            continue
        try:
            read(data, box, items)
        except (struct.error, IndexError):
            continue
    return items


def _read_pitm(data: bytes, box: Box, items: Items) -> None:
    (items.primary,) = struct.unpack_from(">L" if data[box.body] else ">H", data, box.body + 4)


def _read_iinf(data: bytes, box: Box, items: Items) -> None:
    first = box.body + (8 if data[box.body] else 6)
    for entry in boxes(data, first, box.end):
        if entry.kind != b"infe" or data[entry.body] not in {2, 3}:
            continue
        wide = data[entry.body] == 3  # noqa: PLR2004 - the version with item numbers of 32 bits
        (item,) = struct.unpack_from(">L" if wide else ">H", data, entry.body + 4)
        place = entry.body + (10 if wide else 8)
        if place + 4 <= entry.end:
            items.kinds[item], items.kind_places[item] = data[place : place + 4], place


def _read_iref(data: bytes, box: Box, items: Items) -> None:
    item = ">L" if data[box.body] else ">H"
    size = struct.calcsize(item)
    for reference in boxes(data, box.body + 4, box.end):
        (source,) = struct.unpack_from(item, data, reference.body)
        (count,) = struct.unpack_from(">H", data, reference.body + size)
        first = reference.body + size + 2
        count = min(count, max(0, reference.end - first) // size)
        targets = list(struct.unpack_from(f">{count}{item[1]}", data, first))
        items.references.append((reference, source, targets))


def _read_iprp(data: bytes, box: Box, items: Items) -> None:
    for part in boxes(data, box.body, box.end):
        if part.kind == b"ipco":
            items.properties = list(boxes(data, part.body, part.end))
        elif part.kind == b"ipma":
            for item, numbers in _associations(data, part):
                known = items.associations.setdefault(item, [])
                known += [number & _NUMBER for number in numbers]


def _associations(data: bytes, box: Box) -> Iterator[tuple[int, list[int]]]:
    """Yield items and their associations: the property's number, and `_ESSENTIAL` where it is."""
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
        yield item, list(raw) if wide else [(one & 0x80) << 8 | one & 0x7F for one in raw]


_READERS = {b"pitm": _read_pitm, b"iinf": _read_iinf, b"iref": _read_iref, b"iprp": _read_iprp}


def read_nclx(data: bytes, items: Items) -> tuple[int, int] | None:
    """Return the primaries and transfer characteristics (ITU-T H.273) of the picture, if any.

    They are those of the primary item, or of the first tile of which it is made.
    """
    tiles = (
        tile
        for reference, item, others in items.references
        if reference.kind == b"dimg" and item == items.primary
        for tile in others[:1]
    )
    for box in (box for item in (items.primary, *tiles) for box in items.of(item)):
        if box.kind == b"colr" and data[box.body : box.body + 4] == b"nclx":
            numbers = data[box.body + 4 : box.body + 8]
            return int.from_bytes(numbers[:2]), int.from_bytes(numbers[2:])
    return None


def read_bit_depth(data: bytes, items: Items) -> int:
    """Return the bits of each sample that a file's AV1 configurations name (AV1-ISOBMFF, 2.3.3)."""
    flags = [data[box.body + 2] for box in items.properties if box.kind == b"av1C"]
    return max((12 if one & 0x20 else 10 if one & 0x40 else 8 for one in flags), default=8)


def clean_aperture(data: bytes, items: Items, size: tuple[int, int]) -> Rectangle | None:
    """Return the part of the stored picture that is to be shown (ISO/IEC 14496-12, 12.1.4.1).

    None is all of it, also where the box is broken or reaches beyond the picture (MIAF, 7.3.6.7).
    """
    box = next((one for one in items.of(items.primary) if one.kind == b"clap"), None)
    if box is None or box.end - box.body < _APERTURE_BYTES:
        return None
    raw = struct.unpack_from(">4LlLlL", data, box.body)
    numerators, denominators = raw[::2], raw[1::2]
    if 0 in denominators:
        return None
    width, height, right, down = (n / d for n, d in zip(numerators, denominators, strict=True))
    left, top = (size[0] - width) / 2 + right, (size[1] - height) / 2 + down
    part = Rectangle(round(left), round(top), round(width), round(height))
    is_inside = left >= 0 and top >= 0 and left + width <= size[0] and top + height <= size[1]
    return part if is_inside and part.width > 0 and part.height > 0 else None


def with_alpha_sizes(data: bytes) -> bytes:
    """Return the file with a size for each auxiliary image that has none.

    Older encoders left out an alpha item's `ispe`, which libavif demands: it gets its master's.
    Then the `meta` box moves to the end of the file, so that no place that it names moves.
    """
    meta = next((box for box in boxes(data) if box.kind == b"meta"), None)
    if meta is None or not any(data[meta.start : meta.start + 4]):
        return data
    items = read_meta_items(data, meta)
    sizes = {item: _number(items, item, b"ispe") for item in items.associations}
    missing = {
        item: next((sizes[master] for master in masters if sizes.get(master)), 0)
        for reference, item, masters in items.references
        if reference.kind == b"auxl" and not sizes.get(item)
    }
    missing = {item: number for item, number in missing.items() if number}
    return _associated(data, meta, missing) if missing else data


def _number(items: Items, item: int, kind: bytes) -> int:
    """Return the number of an item's property; 0 where it has none of that kind."""
    for number in items.associations.get(item, []):
        if 0 < number <= len(items.properties) and items.properties[number - 1].kind == kind:
            return number
    return 0


def _associated(data: bytes, meta: Box, more: dict[int, int]) -> bytes:
    """Return the file with one more property for some items."""
    iprp = next(box for box in boxes(data, meta.body + 4, meta.end) if box.kind == b"iprp")
    known = dict[int, list[int]]()
    parts = []
    for part in boxes(data, iprp.body, iprp.end):
        if part.kind != b"ipma":
            parts.append(data[part.start : part.end])
            continue
        for item, associations in _associations(data, part):
            known.setdefault(item, []).extend(associations)
    for item, number in more.items():
        known.setdefault(item, []).insert(0, number)
    parts.append(_framed(b"ipma", _association_table(known)))
    properties = _framed(b"iprp", b"".join(parts))
    moved = data[meta.body : iprp.start] + properties + data[iprp.end : meta.end]
    return data[: meta.start + 4] + b"free" + data[meta.start + 8 :] + _framed(b"meta", moved)


def _association_table(known: dict[int, list[int]]) -> bytes:
    table = b"\1\0\0\1" + struct.pack(">L", len(known))
    for item, associations in sorted(known.items()):
        table += struct.pack(f">LB{len(associations)}H", item, len(associations), *associations)
    return table


def _framed(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">L4s", _HEADER_BYTES + len(body), kind) + body

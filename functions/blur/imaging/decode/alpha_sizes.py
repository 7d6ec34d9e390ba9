"""Repair an AVIF if its alpha image has no size.

Older encoders omitted the `ispe` property of the alpha image, which libavif requires.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from blur.imaging.decode.boxes import HEADER_BYTES, Items, boxes, read_associations, read_meta_items

if TYPE_CHECKING:
    from blur.imaging.decode.boxes import IsoBox


def add_alpha_sizes(data: bytes) -> bytes:
    """Return the file; auxiliary images without a size get the size of their master image.

    The extended `meta` box moves to the end of the file. Nothing else moves, so the file offsets in
    the box stay valid.
    """
    meta = next((box for box in boxes(data) if box.kind == b"meta"), None)
    if meta is None or not any(data[meta.start : meta.start + 4]):
        return data
    items = read_meta_items(data, meta)
    sizes = {item: _property_number(items, item, b"ispe") for item in items.associations}
    missing = {
        item: next((sizes[master] for master in masters if sizes.get(master)), 0)
        for reference, item, masters in items.references
        if reference.kind == b"auxl" and not sizes.get(item)
    }
    missing = {item: number for item, number in missing.items() if number}
    return _add_associations(data, meta, missing) if missing else data


def _property_number(items: Items, item: int, kind: bytes) -> int:
    """Return the index of an item's property of this kind, counted from 1; 0 if there is none."""
    for number in items.associations.get(item, []):
        if 0 < number <= len(items.properties) and items.properties[number - 1].kind == kind:
            return number
    return 0


def _add_associations(data: bytes, meta: IsoBox, properties: dict[int, int]) -> bytes:
    """Return the file with one more property for each item in `properties`.

    The values of `properties` are the indexes of the new properties.
    """
    iprp = next(box for box in boxes(data, meta.body + 4, meta.end) if box.kind == b"iprp")
    associations = dict[int, list[int]]()
    parts = []
    for part in boxes(data, iprp.body, iprp.end):
        if part.kind != b"ipma":
            parts.append(data[part.start : part.end])
            continue
        for item, numbers in read_associations(data, part):
            associations.setdefault(item, []).extend(numbers)
    for item, number in properties.items():
        associations.setdefault(item, []).insert(0, number)
    parts.append(_pack_box(b"ipma", _pack_associations(associations)))
    new_iprp = _pack_box(b"iprp", b"".join(parts))
    new_meta = data[meta.body : iprp.start] + new_iprp + data[iprp.end : meta.end]
    return data[: meta.start + 4] + b"free" + data[meta.start + 8 :] + _pack_box(b"meta", new_meta)


def _pack_associations(associations: dict[int, list[int]]) -> bytes:
    table = b"\1\0\0\1" + struct.pack(">L", len(associations))
    for item, numbers in sorted(associations.items()):
        table += struct.pack(f">LB{len(numbers)}H", item, len(numbers), *numbers)
    return table


def _pack_box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">L4s", HEADER_BYTES + len(body), kind) + body

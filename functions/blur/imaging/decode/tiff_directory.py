"""Read and write TIFF directories: the tags of each page (TIFF 6.0, section 2, and BigTIFF)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeAlias

from blur.imaging.decode.limits import MAX_STRIPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
FILL_ORDER, MAKE, STRIP_OFFSETS, ORIENTATION, SAMPLES = 266, 271, 273, 274, 277
ROWS_PER_STRIP, STRIP_BYTES, PLANAR, PREDICTOR, COLOUR_MAP = 278, 279, 284, 317, 320
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES = 322, 323, 324, 325
SUB_DIRECTORIES, EXTRA_SAMPLES, SAMPLE_FORMAT = 330, 338, 339
SUBFILE_TYPE, OLD_SUBFILE_TYPE, ICC_PROFILE, DNG_VERSION = 254, 255, 34675, 50706

MAX_PAGES = 64
"""The maximum number of directories that are read to find the full-size page."""
_MAX_BYTES = 16_000_000
_MAX_ENTRIES = 4096
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 7: 1, 8: 2, 9: 4, 13: 4, 16: 8, 17: 8, 18: 8}
"""The size of a value in bytes, by the value's type. Only integers and bytes are read, so other
types are left out."""
_CODES = {1: "B", 3: "H", 4: "L", 6: "b", 8: "h", 9: "l", 13: "L", 16: "Q", 17: "q", 18: "Q"}
_SHORT, _LONG, _UNDEFINED = 3, 4, 7
_MAX_SHORT = 0xFFFF
_REDUCED, _OLD_REDUCED = 1, 2
_POINTERS = {SUB_DIRECTORIES, 34665, 34853, 40965}
"""Tags that point to other directories."""

Directory: TypeAlias = dict[int, tuple[int, ...] | bytes]
"""Integers or bytes by tag. A value is empty if the file does not contain all of it; a value that
is neither integers nor bytes is left out."""


def number(directory: Directory, tag: int, default: int = 0) -> int:
    """Return the first number of a tag, or the default if the tag has no value."""
    values = directory.get(tag)
    return int(values[0]) if values else default


def numbers(directory: Directory, tag: int) -> tuple[int, ...]:
    """Return all numbers of a tag; none if the tag is missing or its value is bytes."""
    values = directory.get(tag, ())
    return () if isinstance(values, bytes) else values


def byte_order(data: bytes) -> str:
    """Return the byte order of a TIFF in the notation of `struct`: `<` or `>`."""
    return "<" if data.startswith(b"II") else ">"


def read_pages(data: bytes) -> Iterator[Directory]:
    """Yield the file's directories and their subdirectories, at most `MAX_PAGES`."""
    order, big = byte_order(data), _is_big(data)
    (start,) = struct.unpack_from(f"{order}{'Q' if big else 'L'}", data, 8 if big else 4)
    queue, visited = [start], set[int]()
    while queue and len(visited) < MAX_PAGES:
        start = queue.pop(0)
        if start in visited or not 0 < start < len(data):
            continue
        visited.add(start)
        directory, next_start = _read(data, start, order, big=big)
        yield directory
        queue += [next_start, *numbers(directory, SUB_DIRECTORIES)[:MAX_PAGES]]


def is_reduced_page(directory: Directory) -> bool:
    """Return whether a page is a smaller copy of another page (NewSubfileType and SubfileType)."""
    return bool(number(directory, SUBFILE_TYPE) & _REDUCED) or (
        number(directory, OLD_SUBFILE_TYPE) == _OLD_REDUCED
    )


def is_full_page(directory: Directory) -> bool:
    """Return whether a page is a full-size image: all bits of NewSubfileType are 0."""
    is_mask = bool(number(directory, SUBFILE_TYPE) & ~_REDUCED)
    return WIDTH in directory and not is_reduced_page(directory) and not is_mask


def _is_big(data: bytes) -> bool:
    return b"+" in data[2:4]


def _read(data: bytes, start: int, order: str, *, big: bool) -> tuple[Directory, int]:
    """Return the directory at `start`, and the offset of the next directory, or 0 at the end."""
    (count,) = struct.unpack_from(f"{order}{'Q' if big else 'H'}", data, start)
    entry = struct.Struct(f"{order}{'HHQ8s' if big else 'HHL4s'}")
    first = start + (8 if big else 2)
    complete = min(count, _MAX_ENTRIES, (len(data) - first) // entry.size)
    directory: Directory = {}
    for tag, kind, length, value in entry.iter_unpack(data[first : first + complete * entry.size]):
        size = _SIZES.get(kind, 0) * length
        if tag in directory or not 0 < size <= _MAX_BYTES or length > max(MAX_STRIPS, size // 8):
            continue
        if size > len(value):
            offset = int.from_bytes(value, "little" if order == "<" else "big")
            value = data[offset : offset + size]  # noqa: PLW2901 - the entry has only the value's offset
        is_complete = len(value) >= size
        directory[tag] = _values(value[:size], kind, length, order) if is_complete else ()
    end = first + count * entry.size
    next_start = data[end : end + (8 if big else 4)]
    return directory, int.from_bytes(next_start, "little" if order == "<" else "big")


def _values(value: bytes, kind: int, length: int, order: str) -> tuple[int, ...] | bytes:
    code = _CODES.get(kind)
    return value if code is None else struct.unpack(f"{order}{length}{code}", value)


def extract_page(data: bytes, directory: Directory) -> bytes:
    """Return the file as a classic TIFF with one page, whose directory is at the end."""
    order = byte_order(data)
    head = data[:2] + struct.pack(f"{order}HL", 42, len(data) + len(data) % 2)
    kept = {tag: value for tag, value in directory.items() if value and tag not in _POINTERS}
    body = data[8:] + bytes(len(data) % 2)
    return head + body + pack_directory(order, kept, len(head) + len(body))


def pack_directory(order: str, tags: Mapping[int, tuple[int, ...] | bytes], start: int) -> bytes:
    """Return a directory at the offset `start`, followed by the values to which it points."""
    entries, values = b"", b""
    first = start + 2 + 12 * len(tags) + 4
    for tag, content in sorted(tags.items()):
        if isinstance(content, bytes):
            kind, packed = _UNDEFINED, content
        elif min(content) < 0:
            kind, packed = _SHORT, struct.pack(f"{order}{len(content)}h", *content)
        else:
            kind = _SHORT if max(content) <= _MAX_SHORT else _LONG
            packed = struct.pack(f"{order}{len(content)}{_CODES[kind]}", *content)
        if len(packed) > 4:  # noqa: PLR2004 - an entry has 4 bytes for a value
            value = struct.pack(f"{order}L", first + len(values))
            values += packed + bytes(len(packed) % 2)
        else:
            value = packed.ljust(4, b"\0")
        entries += struct.pack(f"{order}HHL", tag, kind, len(content)) + value
    return struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + values

"""Read EXIF data: integers of the first directory, and the mark for Adobe RGB (DCF, Exif 3.0).

Only the directories that lead to the requested value are read, so a broken value in another
directory has no effect.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIX = b"Exif\0\0"
_EXIF, _INTEROPERABILITY, _INDEX = 34665, 40965, 1
_BYTE, _ASCII, _SHORT, _LONG = 1, 2, 3, 4
_INTEGERS = {_BYTE: "B", _SHORT: "H", _LONG: "L"}
_ENTRY_BYTES = 12
ADOBE_RGB_INDEX = b"R03\0"
"""The interoperability index of a DCF optional file (DCF 2.0, 5.6)."""


def read_number(exif: bytes, tag: int) -> int:
    """Return the integer with this tag in the first directory; 0 if it is missing or broken."""
    exif = exif.removeprefix(_PREFIX)
    return _number(exif, _first(exif), tag)


def is_adobe_rgb(exif: bytes) -> bool:
    """Return whether the file is a DCF optional file, whose colours are in Adobe RGB."""
    exif = exif.removeprefix(_PREFIX)
    exif_directory = _number(exif, _first(exif), _EXIF)
    interoperability = _number(exif, exif_directory, _INTEROPERABILITY)
    return any(
        tag == _INDEX and kind == _ASCII and value == ADOBE_RGB_INDEX
        for tag, kind, value in _entries(exif, interoperability)
    )


def _first(exif: bytes) -> int:
    return int.from_bytes(exif[4:8], _order(exif))


def _order(exif: bytes) -> Literal["little", "big"]:
    return "little" if exif.startswith(b"II") else "big"


def _number(exif: bytes, directory: int, tag: int) -> int:
    """Return the integer with this tag in a directory; 0 if the directory does not have it."""
    order = "<" if _order(exif) == "little" else ">"
    for entry_tag, kind, value in _entries(exif, directory):
        if entry_tag == tag and kind in _INTEGERS:
            return int(struct.unpack_from(order + _INTEGERS[kind], value)[0])
    return 0


def _entries(exif: bytes, directory: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield the tag, the type and the four value bytes of each complete entry of a directory."""
    if not exif.startswith((b"II", b"MM")) or not 0 < directory < len(exif) - 1:
        return
    order = "<" if _order(exif) == "little" else ">"
    (count,) = struct.unpack_from(f"{order}H", exif, directory)
    first = directory + 2
    complete = min(count, (len(exif) - first) // _ENTRY_BYTES)
    entry = struct.Struct(f"{order}HHL4s")
    for tag, kind, _, value in entry.iter_unpack(exif[first : first + complete * _ENTRY_BYTES]):
        yield tag, kind, value

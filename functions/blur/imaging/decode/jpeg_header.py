"""Read the header of a JPEG: its segments, and the size of its image."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from blur.imaging.decode.limits import MAX_SEGMENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
"""The markers of frame headers: SOFn (ITU-T T.81, table B.1), and SOF55 of JPEG-LS (T.87)."""
_START_OF_SCAN = 0xDA
_LAST_FILL_BYTE = re.compile(rb"\xff*(?=\xff)")


class Segment(NamedTuple):
    """A segment: its marker's second byte, and its offsets in the file."""

    kind: int
    start: int
    """The offset of the marker."""
    body: int
    """The offset of the content, which follows the marker and the length."""
    end: int


def read_frame_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height from the frame header (ITU-T T.81, B.2.2).

    Return None if none of the first `MAX_SEGMENTS` segments is a frame header.
    """
    for segment in islice(read_segments(data), MAX_SEGMENTS):
        if segment.kind in FRAMES and len(data) >= segment.body + 5:
            height, width = (
                int.from_bytes(data[at : at + 2]) for at in (segment.body + 1, segment.body + 3)
            )
            return width, height
    return None


def read_segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments up to and including the header of the first scan."""
    start = 2
    while start + 4 <= len(data) and data[start] == 0xFF:  # noqa: PLR2004 - a marker starts with 0xFF
        kind, body = data[start + 1], start + 4
        if kind == 0xFF:  # noqa: PLR2004 - 0xFF is a fill byte here (T.81, B.1.1.2)
            start = _LAST_FILL_BYTE.match(data, start).end()  # type: ignore[union-attr] # the pattern always matches
            continue
        end = body - 2 + int.from_bytes(data[body - 2 : body])
        yield Segment(kind, start, body, end)
        if kind == _START_OF_SCAN or end < body:
            return
        start = end

"""The region of interest: the part of a photo in which the subject is searched for."""

from __future__ import annotations

import re
from math import ceil, floor
from typing import NamedTuple

from blur.parameter_errors import InvalidRoiError, RoiExceedsBoundsError, RoiRegionEmptyError

MARGIN = 0.1
"""The width of the margin around the region, as a share of the region's sides. The network also
gets the pixels of the margin, because it recognises a subject by the background around the
subject."""
MIN_SIDE_PX = 2
"""The minimum width and height of a region: a subject and a background do not fit into one
pixel."""
_LENGTH = re.compile(r"(\d{1,9}(?:\.\d{1,20})?)(px|%)?", re.ASCII)
_SYNTAX = (
    "The field 'roi' is not valid. Send four values, 'x1 y1 x2 y2', in pixels or percent of"
    " the upright photo, such as '10% 0% 50% 100%'."
)


class Length(NamedTuple):
    """A length in pixels, or in percent of a side."""

    value: float
    is_percent: bool

    def in_px(self, side_px: int) -> float:
        """Return the length in pixels; a percentage is relative to a side of `side_px` pixels."""
        return self.value * side_px / 100 if self.is_percent else self.value


class Box(NamedTuple):
    """A rectangle of whole pixels in a photo."""

    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start


class Roi(NamedTuple):
    """A rectangle with the corners (x1, y1), upper left, and (x2, y2), lower right.

    x is the distance from the photo's left border, and y the distance from its upper border.
    """

    x1: Length
    y1: Length
    x2: Length
    y2: Length

    def to_box(self, shape: tuple[int, int]) -> Box:
        """Return the box of the pixels that the region covers at least in part.

        `shape` is the (height, width) of the photo.

        Raises:
            RoiExceedsBoundsError: a corner is outside the photo.
            RoiRegionEmptyError: the box is less than two pixels wide or high.

        """
        height, width = shape
        if any(x.in_px(width) > width for x in (self.x1, self.x2)) or any(
            y.in_px(height) > height for y in (self.y1, self.y2)
        ):
            message = (
                f"The region of 'roi' exceeds the photo, which is {width} pixels wide and"
                f" {height} pixels high."
            )
            raise RoiExceedsBoundsError(message)
        rows = _span(self.y1, self.y2, height)
        columns = _span(self.x1, self.x2, width)
        if min(rows.stop - rows.start, columns.stop - columns.start) < MIN_SIDE_PX:
            message = (
                "The region of 'roi' is empty: 'x1 y1 x2 y2' are its left, top, right and bottom,"
                " at least two pixels apart."
            )
            raise RoiRegionEmptyError(message)
        return Box(rows, columns)


_ZERO, _ALL = Length(0, is_percent=True), Length(100, is_percent=True)
WHOLE_PHOTO = Roi(_ZERO, _ZERO, _ALL, _ALL)
"""The region `0% 0% 100% 100%`."""


def parse_roi(text: str) -> Roi:
    """Parse a region in the syntax of remove.bg's parameter `roi`: `x1 y1 x2 y2`.

    The four values are lengths in pixels (`12` or `12px`) or percent (`12%`).

    Raises:
        InvalidRoiError: the text does not have this syntax.

    """
    parsed = [parse_length(part) for part in text.split()]
    lengths = [length for length in parsed if length is not None]
    if len(parsed) != len(Roi._fields) or len(lengths) != len(parsed):
        raise InvalidRoiError(_SYNTAX)
    return Roi(*lengths)


def parse_length(text: str) -> Length | None:
    """Parse a length such as `12`, `12px` or `12.5%`; return None if the text is not a length.

    The number can have 9 digits before the decimal point, and 20 digits after it.
    """
    match = _LENGTH.fullmatch(text)
    return None if match is None else Length(float(match[1]), match[2] == "%")


def with_margin(box: Box, shape: tuple[int, int]) -> Box:
    """Return the box with a margin, cut at the borders of a photo of `shape`, (height, width)."""
    return Box(_widen(box.rows, shape[0]), _widen(box.columns, shape[1]))


def _span(start: Length, stop: Length, side_px: int) -> slice:
    return slice(floor(start.in_px(side_px)), ceil(stop.in_px(side_px)))


def _widen(span: slice, side_px: int) -> slice:
    margin = ceil(MARGIN * (span.stop - span.start))
    return slice(max(0, span.start - margin), min(side_px, span.stop + margin))

"""Cutting a picture into windows, so that work in floating point stays small."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

SIDE_PX = 256


class Window(NamedTuple):
    """A rectangle of pixels; `bottom` and `right` are the first row and column outside."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def of(self) -> tuple[slice, slice]:
        """The index that takes this rectangle out of an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, margin: int) -> Window:
        """Return the rectangle with `margin` more on every side."""
        return Window(
            self.top - margin, self.left - margin, self.bottom + margin, self.right + margin
        )


def strips(window: Window, most: int) -> Iterator[Window]:
    """Cut a window into strips of whole rows, of at most about `most` pixels each."""
    rows = max(SIDE_PX // 4, most // (window.right - window.left))
    for top in range(window.top, window.bottom, rows):
        yield window._replace(top=top, bottom=min(top + rows, window.bottom))


def tiles(height: int, width: int) -> Iterator[Window]:
    """Cover a picture with windows of at most `SIDE_PX`, row by row, without overlap."""
    for top in range(0, height, SIDE_PX):
        for left in range(0, width, SIDE_PX):
            yield Window(top, left, min(top + SIDE_PX, height), min(left + SIDE_PX, width))

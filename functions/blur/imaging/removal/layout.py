"""Compute the subject's place in the result from the size, crop, margins, scale and position.

The frame is the whole photo, or with `crop` the subject and its margins. The subject is scaled and
placed in the frame. The result is the frame, made smaller if the size or the format requires it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from blur.imaging.removal.options import CENTER
from blur.imaging.roi import Box

if TYPE_CHECKING:
    from blur.imaging.removal.options import Position, RemovalOptions

Shape: TypeAlias = tuple[int, int]
"""Height and width."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The largest number of pixels, and the longest side, of a result."""

    pixels: int
    side_px: int

    def fit(self, shape: tuple[float, float]) -> Shape:
        """Return (height, width), reduced in proportion if `shape` exceeds a limit."""
        height, width = shape
        scale = min(
            1.0, math.sqrt(self.pixels / (height * width)), self.side_px / max(height, width)
        )
        rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
        if rows * columns > self.pixels:
            rows, columns = max(1, int(height * scale)), max(1, int(width * scale))
        return min(rows, self.pixels // min(columns, self.pixels)), min(columns, self.pixels)


class Layout(NamedTuple):
    """A part of the photo and its place in the result."""

    frame: Shape
    """Height and width of the result."""
    part: Box
    """The part of the photo that is shown."""
    shape: Shape
    """The height and width of this part in the result."""
    top: int
    """The first row of this part in the result."""
    left: int
    """The first column of this part in the result."""

    @property
    def place(self) -> Box:
        """The rows and columns of the result that show this part of the photo."""
        rows = slice(self.top, self.top + self.shape[0])
        return Box(rows, slice(self.left, self.left + self.shape[1]))


def keeps_frame(options: RemovalOptions) -> bool:
    """Return whether the frame is the whole photo and the subject keeps its size and place."""
    return not options.crop and options.scale is None and options.position in {None, "original"}


def whole(shape: Shape, full_shape: Shape, limit: Limit) -> Layout:
    """Return the layout of a whole photo that has `full_shape` and was decoded to `shape`."""
    frame = limit.fit(full_shape)
    frame = min(frame[0], shape[0]), min(frame[1], shape[1])
    return Layout(frame, Box(slice(0, shape[0]), slice(0, shape[1])), frame, 0, 0)


class Framing(NamedTuple):
    """A frame and the subject in it, in pixels of the photo."""

    height: float
    width: float
    subject: Box
    """The pixels of the subject in the photo."""
    top: float
    """The distance of the subject from the upper border of the frame."""
    left: float
    """The distance of the subject from the left border of the frame."""
    scale: float
    """The factor by which the subject is enlarged; with a factor below 1, it becomes smaller."""

    def lay_out(self, limit: Limit) -> Layout:
        """Return the layout of a result that fits in the limit; all edges are rounded to pixels."""
        frame = limit.fit((self.height, self.width))
        by_row, by_column = frame[0] / self.height, frame[1] / self.width
        rows, columns = self.subject.shape
        height = min(frame[0], max(1, round(rows * self.scale * by_row)))
        width = min(frame[1], max(1, round(columns * self.scale * by_column)))
        top = min(frame[0] - height, round(self.top * by_row))
        left = min(frame[1] - width, round(self.left * by_column))
        return Layout(frame, self.subject, (height, width), top, left)


def frame_subject(options: RemovalOptions, shape: Shape, subject: Box) -> Framing:
    """Return the frame for a subject in a photo; `shape` is the (height, width) of the photo."""
    rows, columns = subject.shape
    if options.crop:
        margins = options.crop_margin
        top, left = round(margins.top.in_px(rows)), round(margins.left.in_px(columns))
        height = top + rows + round(margins.bottom.in_px(rows))
        width = left + columns + round(margins.right.in_px(columns))
    else:
        height, width = shape
        top, left = subject.rows.start, subject.columns.start
    scale = 1.0
    if options.scale is not None:
        scale = options.scale * min(height / rows, width / columns)
    position = _position(options)
    return Framing(
        height,
        width,
        subject,
        _start(position, 1, top, rows, scale, height),
        _start(position, 0, left, columns, scale, width),
        scale,
    )


def _position(options: RemovalOptions) -> Position:
    if options.position is not None:
        return options.position
    return "original" if options.scale is None else CENTER


def _start(  # noqa: PLR0913, PLR0917 - it gets one axis of the subject and of the frame
    position: Position, axis: int, original: float, side: int, scale: float, frame: float
) -> float:
    """Return the subject's first row or column in the frame."""
    free = max(0.0, frame - side * scale)
    if position == "original":
        return min(free, max(0.0, original + side * (1 - scale) / 2))
    return free * float(position[axis])

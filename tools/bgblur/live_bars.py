"""Progress bars on a terminal, with lines above them; without a terminal, only the lines."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.progress import Progress, ProgressColumn, TextColumn
from rich.table import Column
from rich.text import Text

from bgblur.printable import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

ECHO_CELLS = 2


class LiveBars(Progress):
    """Progress bars below printed lines; leaving the context removes the bars, not the lines.

    The end of each row stays free, because a terminal echoes Ctrl-C there as ^C.
    """

    def __init__(self, console: Console, *columns: ProgressColumn) -> None:
        """Draw on the console if it is a terminal."""
        super().__init__(*columns, console=console, transient=True, expand=True)
        self.is_live = console.is_terminal and os.environ.get("TERM") != "dumb"

    def start(self) -> None:
        """Start drawing, if the console is a terminal."""
        if self.is_live:
            super().start()

    def stop(self) -> None:
        """Stop drawing the progress bars, and remove them from the terminal."""
        if self.is_live:
            super().stop()

    def print_line(self, text: str, style: str = "") -> None:
        """Print a permanent line above the bars."""
        # A style passed to `print` would also apply to the bars, which are redrawn below.
        self.console.print(Text(printable(text), style), soft_wrap=True)

    def get_renderable(self) -> RenderableType:
        """Return the bars, a few cells narrower than the terminal."""
        return _Narrowed(super().get_renderable())


@dataclass(frozen=True, slots=True)
class _Narrowed:
    inner: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from console.render(
            self.inner, options.update_width(max(1, options.max_width - ECHO_CELLS))
        )


def name_column() -> TextColumn:
    """Return a column that shows the description of each task."""
    return TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True))


def rest_column(field: str) -> TextColumn:
    """Return a column that shows this field of each task and fills the rest of the row."""
    column = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    return TextColumn(f"{{task.fields[{field}]}}", markup=False, table_column=column)


def duration(seconds: float) -> str:
    """Return a duration as text in hours, minutes and seconds, such as `2 min 5 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

"""The progress of a batch: bars on a terminal; otherwise only errors and the summary."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.cells import cell_len
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.table import Column
from rich.text import Text

from bgblur.printable import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from bgblur.blurring.batch import Job

BAR_CELLS = 20
MAX_BAR_SHARE = 5
"""A bar is at most 1/5 of the terminal's width, so that narrow terminals still show the text."""
NAME_CELLS = 28
ECHO_CELLS = 2


class Display:
    """Permanent lines, and below them a bar for each running photo and one for the batch.

    Use it as a context manager: the bars are removed at the end.
    """

    def __init__(
        self, console: Console, total: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Draw on the console if it is a terminal."""
        self.is_live = console.is_terminal and os.environ.get("TERM") != "dumb"
        self._console = console
        self._total = total
        self._clock = clock
        self._began = clock()
        name = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True))
        step = TextColumn(
            "{task.fields[step]}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
        )
        bar = BarColumn(bar_width=min(BAR_CELLS, console.width // MAX_BAR_SHARE))
        self._progress = _Bars(
            name, bar, TaskProgressColumn(), step, console=console, transient=True, expand=True
        )
        self._bars: dict[int, TaskID] = {}
        self._overall: TaskID | None = None

    def __enter__(self) -> Self:
        """Start drawing."""
        if self.is_live:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the bars."""
        if self.is_live:
            self._progress.stop()

    def print(self, text: str, style: str = "") -> None:
        """Print a permanent line above the bars."""
        # A style passed to `print` would also apply to the bars, which are redrawn below.
        self._console.print(Text(printable(text), style), soft_wrap=True)

    def update(
        self,
        running: Sequence[Job],
        finished: int,
        *,
        skipped: int = 0,
        stopping: bool = False,
    ) -> None:
        """Show the progress; with `stopping`, only running photos are finished.

        The `skipped` photos are part of the `finished` ones. Skipped photos took no time, so the
        estimated remaining time ignores them.
        """
        if not self.is_live:
            return
        self._update_photos(running)
        if self._total > 1:
            self._update_overall(finished, skipped, stopping=stopping)
        self._progress.refresh()

    def _update_photos(self, running: Sequence[Job]) -> None:
        jobs = {id(job): job for job in running}
        for finished in self._bars.keys() - jobs.keys():
            self._progress.remove_task(self._bars.pop(finished))
        rows = self._console.height - 2  # one for the overall bar, one for the cursor
        for key, job in list(jobs.items())[: max(1, rows)]:
            if key not in self._bars:
                name = _shorten(printable(job.task.name))
                self._bars[key] = self._progress.add_task(name, total=1.0, step="")
                self._move_overall_down()
            step = printable(job.step)
            self._progress.update(self._bars[key], completed=job.done, step=step)

    def _move_overall_down(self) -> None:
        if self._overall is not None:
            self._progress.remove_task(self._overall)
            self._overall = None

    def _update_overall(self, finished: int, skipped: int, *, stopping: bool) -> None:
        step = ""
        if stopping:
            step = "finishing running photos; Ctrl-C again stops at once"
        elif finished > skipped:
            photo_s = (self._clock() - self._began) / (finished - skipped)
            step = f"about {_duration(photo_s * (self._total - finished))} left"
        description = f"{finished} of {self._total}"
        if self._overall is None:
            self._overall = self._progress.add_task(description, total=self._total, step=step)
        self._progress.update(self._overall, description=description, completed=finished, step=step)


class _Bars(Progress):
    """Bars that leave the end of each line free, because a terminal echoes Ctrl-C there as ^C."""

    def get_renderable(self) -> RenderableType:
        """Return the bars."""
        return _Narrowed(super().get_renderable())


@dataclass(frozen=True, slots=True)
class _Narrowed:
    inner: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from console.render(
            self.inner, options.update_width(max(1, options.max_width - ECHO_CELLS))
        )


def _shorten(name: str) -> str:
    """Return the end of a long path, which identifies the file better than its start."""
    if cell_len(name) <= NAME_CELLS:
        return name
    while cell_len(name) > NAME_CELLS - 2:
        name = name[1:]
    return f"..{name}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

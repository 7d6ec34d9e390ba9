"""The progress of a batch: bars on a terminal; otherwise only errors and the summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.cells import cell_len
from rich.progress import BarColumn, TaskID, TaskProgressColumn

from bgblur.live_bars import LiveBars, duration, name_column, rest_column
from bgblur.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

    from bgblur.blurring.batch import TaskRun

BAR_CELLS = 20
MAX_BAR_SHARE = 5
"""A bar is at most 1/5 of the terminal's width, so that narrow terminals still show the text."""
NAME_CELLS = 28


class Display:
    """Permanent lines, and below them a bar for each photo in progress and a bar for the batch.

    Use it as a context manager: the bars are removed at the end.
    """

    def __init__(
        self, console: Console, total: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Draw on the console if it is a terminal."""
        self._console = console
        self._total = total
        self._clock = clock
        self._began = clock()
        bar = BarColumn(bar_width=min(BAR_CELLS, console.width // MAX_BAR_SHARE))
        self._progress = LiveBars(
            console, name_column(), bar, TaskProgressColumn(), rest_column("step")
        )
        self._bars: dict[int, TaskID] = {}
        self._overall: TaskID | None = None

    def __enter__(self) -> Self:
        """Start drawing."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the progress bars from the terminal."""
        self._progress.stop()

    @property
    def is_live(self) -> bool:
        """Whether the bars are drawn."""
        return self._progress.is_live

    def print(self, text: str, style: str = "") -> None:
        """Print a permanent line above the bars."""
        self._progress.print_line(text, style)

    def update(
        self,
        running: Sequence[TaskRun],
        finished: int,
        *,
        skipped: int = 0,
        stopping: bool = False,
    ) -> None:
        """Show the progress; `stopping` means that no further photo starts.

        The number of `finished` photos includes the `skipped` photos. Skipped photos took no time,
        so the estimated remaining time ignores them.
        """
        if not self.is_live:
            return
        self._update_photos(running)
        if self._total > 1:
            self._update_overall(finished, skipped, stopping=stopping)
        self._progress.refresh()

    def _update_photos(self, running: Sequence[TaskRun]) -> None:
        runs = {id(run): run for run in running}
        for finished in self._bars.keys() - runs.keys():
            self._progress.remove_task(self._bars.pop(finished))
        rows = self._console.height - 2  # a row for the overall bar, and a row for the cursor
        for key, run in list(runs.items())[: max(1, rows)]:
            if key not in self._bars:
                name = _shorten(printable(run.task.name))
                self._bars[key] = self._progress.add_task(name, total=1.0, step="")
                self._move_overall_down()
            step = printable(run.step)
            self._progress.update(self._bars[key], completed=run.done, step=step)

    def _move_overall_down(self) -> None:
        if self._overall is not None:
            self._progress.remove_task(self._overall)
            self._overall = None

    def _update_overall(self, finished: int, skipped: int, *, stopping: bool) -> None:
        step = ""
        if stopping:
            step = "stopping; Ctrl-C again stops immediately"
        elif finished > skipped:
            photo_s = (self._clock() - self._began) / (finished - skipped)
            step = f"about {duration(photo_s * (self._total - finished))} left"
        description = f"{finished} of {self._total}"
        if self._overall is None:
            self._overall = self._progress.add_task(description, total=self._total, step=step)
        self._progress.update(self._overall, description=description, completed=finished, step=step)


def _shorten(name: str) -> str:
    """Return the end of a long path; the end identifies the file better than the start."""
    if cell_len(name) <= NAME_CELLS:
        return name
    while cell_len(name) > NAME_CELLS - 2:
        name = name[1:]
    return f"..{name}"

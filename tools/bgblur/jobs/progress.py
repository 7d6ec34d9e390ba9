"""Show the progress of a job: a bar on a terminal, otherwise only errors and a summary."""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from bgblur.printable import printable

if TYPE_CHECKING:
    from blur_client import Job

BAR_CELLS = 24
MAX_BAR_SHARE = 3
"""The bar is at most 1/3 of the terminal's width."""


class JobDisplay:
    """Permanent lines on standard error, with one bar below them. Use it as a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        """Draw on a terminal."""
        self._console = console or Console(stderr=True)
        self.is_live = self._console.is_terminal and os.environ.get("TERM") != "dumb"
        column = Column(no_wrap=True, overflow="ellipsis", ratio=1)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=min(BAR_CELLS, self._console.width // MAX_BAR_SHARE)),
            TextColumn("{task.fields[details]}", markup=False, table_column=column),
            console=self._console,
            transient=True,
            expand=True,
        )
        self._bar: TaskID | None = None

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
        """Remove the bar."""
        if self.is_live:
            self._progress.stop()

    def print(self, text: str, style: str = "") -> None:
        """Print a permanent line above the bar."""
        self._console.print(Text(printable(text), style), soft_wrap=True)

    def update(self, step: str, completed: int, total: int, details: str = "") -> None:
        """Show a bar for one of these steps: `Uploading`, `Processing` or `Fetching`."""
        if not self.is_live:
            return
        name = f"{step} {completed} of {total}"
        if self._bar is None:
            self._bar = self._progress.add_task(name, total=total, details=details)
        self._progress.update(
            self._bar,
            description=name,
            completed=completed,
            total=max(total, 1),
            details=printable(details),
        )

    def show_job(self, job: Job) -> None:
        """Show how many photos of the job have ended."""
        self.update("Processing", job.ended, job.received, progress_text(job))


def progress_text(job: Job) -> str:
    """Return the state of a job in a few words."""
    parts = [f"{job.failed} failed"] if job.failed else []
    if job.state == "paused":
        parts.append("paused: there are no credits left; it goes on after a top-up")
    elif job.seconds_left is not None:
        parts.append(f"about {duration(job.seconds_left)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a duration in hours, minutes or seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

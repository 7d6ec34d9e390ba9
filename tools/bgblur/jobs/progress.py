"""Show the progress of a job: lines and, on a terminal, a bar below them."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, TaskID

from bgblur.live_bars import LiveBars, duration, name_column, rest_column
from bgblur.printable import printable

if TYPE_CHECKING:
    from blur_client import Job

NO_CREDITS = "Paused: the balance does not cover a photo. The job goes on after a top-up."
BAR_CELLS = 24
MAX_BAR_SHARE = 3
"""The bar is at most 1/3 of the terminal's width."""


class JobDisplay:
    """Permanent lines on standard error, with one bar below them. Use it as a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        """Draw on `console` if it is a terminal; the default console is standard error."""
        console = console or Console(stderr=True)
        bar = BarColumn(bar_width=min(BAR_CELLS, console.width // MAX_BAR_SHARE))
        self._progress = LiveBars(console, name_column(), bar, rest_column("details"))
        self._bar: TaskID | None = None
        self._is_paused = False

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
        """Remove the progress bar."""
        self._progress.stop()

    def print(self, text: str, style: str = "") -> None:
        """Print a permanent line above the bar."""
        self._progress.print_line(text, style)

    def update(self, step: str, completed: int, total: int, details: str = "") -> None:
        """Show a bar for one of these steps: `Uploading`, `Processing` or `Fetching`."""
        if not self._progress.is_live:
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
        """Show how many photos of the job are done, failed or cancelled.

        Without a progress bar, print a line only when the job is paused.
        """
        self.update("Processing", job.ended, job.received, progress_text(job))
        was_paused, self._is_paused = self._is_paused, job.state == "paused"
        if self._is_paused and not was_paused and not self._progress.is_live:
            self.print(NO_CREDITS)


def progress_text(job: Job) -> str:
    """Return the state of a job in a few words."""
    parts = [f"{job.failed} failed"] if job.failed else []
    if job.state == "paused":
        parts.append("paused: too few credits")
    elif job.seconds_left is not None:
        parts.append(f"about {duration(job.seconds_left)} left")
    return ", ".join(parts)

"""How far everything is, redrawn in place on a terminal; elsewhere nothing but what failed."""

from __future__ import annotations

import os
import shutil
import time
import unicodedata
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO

import click

from bgblur.printable import printable

if TYPE_CHECKING:
    from bgblur.blurring.crew import Job

BAR_CELLS = 20
NAME_CELLS = 28
UP, CLEAR_BELOW = "\x1b[{}A", "\x1b[J"


class Display:
    """Lines that stay, and below them a bar for each photo at work and one for all."""

    def __init__(
        self, stream: TextIO, total: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Draw onto `stream`, if it is a terminal."""
        self.is_live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._stream = stream
        self._total = total
        self._clock = clock
        self._began = clock()
        self._drawn = 0
        self._filled, self._empty = _cells(stream)

    def say(self, text: str) -> None:
        """Print a line that stays, above the bars."""
        self.clear()
        click.echo(printable(text), file=self._stream)

    def draw(self, running: Sequence[Job], finished: int, *, ending: bool = False) -> None:
        """Draw the bars again; at the `ending` only what was begun is waited for."""
        if not self.is_live:
            return
        columns, lines = shutil.get_terminal_size()
        rows = [
            self._row(_short(printable(job.task.name)), job.done, printable(job.step))
            for job in running
        ]
        rows = rows[: max(1, lines - 2)]
        if self._total > 1:
            rows.append(self._overall(running, finished, ending=ending))
        self.clear()
        self._stream.write("".join(f"{cut(row, columns - 1)}\n" for row in rows))
        self._stream.flush()
        self._drawn = len(rows)

    def clear(self) -> None:
        """Take the bars away."""
        if self._drawn:
            self._stream.write(UP.format(self._drawn) + CLEAR_BELOW)
            self._stream.flush()
            self._drawn = 0

    def _overall(self, running: Sequence[Job], finished: int, *, ending: bool) -> str:
        share = (finished + sum(job.done for job in running)) / self._total
        spent_s = self._clock() - self._began
        word = f"about {_time(spent_s / share - spent_s)} left" if finished else ""
        word = "only what is begun; Ctrl-C again ends at once" if ending else word
        return self._row(f"{finished} of {self._total}", share, word)

    def _row(self, name: str, share: float, word: str) -> str:
        filled = round(BAR_CELLS * share)
        bar = self._filled * filled + self._empty * (BAR_CELLS - filled)
        padding = " " * (NAME_CELLS - cells(name))
        return f"{name}{padding}  {bar} {share:4.0%}  {word}".rstrip()


def cells(text: str) -> int:
    """Return how many cells of a terminal the text takes (Unicode Annex 11)."""
    return sum(_width(letter) for letter in text)


def cut(text: str, room: int) -> str:
    """Return as much of the text as fits into so many cells."""
    taken = 0
    for at, letter in enumerate(text):
        taken += _width(letter)
        if taken > room:
            return text[:at]
    return text


def _width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _short(name: str) -> str:
    """Return the end of a long path, which is what tells files apart."""
    if cells(name) <= NAME_CELLS:
        return name
    return ".." + cut(name[::-1], NAME_CELLS - 2)[::-1]


def _cells(stream: TextIO) -> tuple[str, str]:
    try:
        "━─".encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return "#", "."
    return "━", "─"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

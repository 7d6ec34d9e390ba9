"""Processes apart, in which the handler opens what may kill it.

A decoder in C that is led astray ends its process, or never returns. Here that is seen, told and
counted, and the next file finds a new process.
"""

from __future__ import annotations

import os
import re
import resource
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from events import make
from tests.attack.target import Target, blur, outcome_of

from blur.errors import ApiError
from blur.imaging.decode.decoder import decode
from blur.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from multiprocessing.connection import Connection

CELLS = 2
GIVEN_UP_S = 120
"""When a process that does not answer is ended, on a machine however busy."""
ROOM_BYTES = 12 << 30
"""Address space of each, so that a file that asks for everything fails here and harms no one."""
LIMIT_S = 10
"""The longest that any file may take, in seconds of the process's CPU on all of its threads: what
else the machine has to do is no file's doing."""
LIMIT_MB = 1769
"""The most memory that any file may make the process hold: the least that Lambda is given in
docs/operations.md. What is judged is the most that was resident."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one file."""

    name: str
    outcome: str
    seconds: float = 0
    peak_mb: int = 0

    @property
    def is_survived(self) -> bool:
        """Whether it got a documented response within the limits of time and memory."""
        answered = self.outcome[:1].isdecimal()
        return answered and self.seconds < LIMIT_S and self.peak_mb < LIMIT_MB


@dataclass
class Verdicts:
    """What became of them all."""

    all: list[Verdict] = field(default_factory=list)

    @property
    def fallen(self) -> list[Verdict]:
        """Those that were not survived."""
        return [verdict for verdict in self.all if not verdict.is_survived]

    def told(self) -> str:
        """Say how many ended how, and the worst of time and memory, for the page of trials."""
        ends = Counter(one.outcome[:1] for one in self.all)
        return (
            f"{ends['2']:,} accepted, {ends['4']:,} rejected with a documented 4xx, "
            f"{len(self.all) - ends['2'] - ends['4']} otherwise; at most "
            f"{max(one.seconds for one in self.all):.1f} s of CPU and "
            f"{max(one.peak_mb for one in self.all):,} MB"
        )


class Cell:
    """One process at a time, and the pipe to it."""

    def __init__(self, model_dir: Path) -> None:
        """Start the first."""
        self._model_dir = model_dir
        self._start()

    def _start(self) -> None:
        spawn = get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._folder = TemporaryDirectory()  # ours: a process that is killed cleans nothing up
        given = (theirs, Path(self._folder.name), self._model_dir)
        self._process = spawn.Process(target=_inside, args=given, daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.recv()  # it says when it is ready, so that its start is in no file's time

    def judge(self, name: str, image: bytes, fields: dict[str, str] | None) -> Verdict:
        """Have one file decoded, or with `fields` of a form sent through the whole service."""
        self._pipe.send((image, fields))
        try:
            if self._pipe.poll(GIVEN_UP_S):
                outcome, seconds, peak_mb = self._pipe.recv()
                return Verdict(name, outcome, seconds, peak_mb)
            outcome = "no answer"
        except EOFError:
            self._process.join()
            outcome = f"ended with {self._process.exitcode}"
        self.close()
        self._start()
        return Verdict(name, outcome)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._pipe.close()
        self._folder.cleanup()


def judged(
    files: Iterable[tuple[str, bytes]], model_dir: Path, *, whole_each: int = 1, **fields: str
) -> Verdicts:
    """Have every file decoded, and one in so many blurred as `fields` say, by processes apart.

    Of a broken file the service sees no more than its decoder, or no less than of a whole one.
    """
    with ThreadPoolExecutor(CELLS) as pool:
        started = list(pool.map(Cell, [model_dir] * CELLS))
        free: SimpleQueue[Cell] = SimpleQueue()
        for cell in started:
            free.put(cell)

        def judge(numbered: tuple[int, tuple[str, bytes]]) -> Verdict:
            cell = free.get()
            number, (name, image) = numbered
            try:
                return cell.judge(name, image, None if number % whole_each else fields)
            finally:
                free.put(cell)

        try:
            return Verdicts(list(pool.map(judge, enumerate(files))))
        finally:
            for cell in started:
                cell.close()


def _inside(pipe: Connection, folder: Path, model_dir: Path) -> None:
    os.environ["POWERTOOLS_METRICS_DISABLED"] = "true"
    resource.setrlimit(resource.RLIMIT_AS, (ROOM_BYTES, ROOM_BYTES))
    target = Target(folder, model_dir)
    target(make.blur())  # what is loaded once is no file's doing
    pipe.send("ready")
    while True:
        image, fields = pipe.recv()
        started = time.process_time()
        try:
            whole = fields is not None
            outcome = outcome_of(target(blur(image, **fields))) if whole else _decoded(image)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            outcome = f"{error!r}: {target.log.getvalue()}"
        pipe.send((outcome, time.process_time() - started, peak_mb()))


def _decoded(image: bytes) -> str:
    try:
        decode(image, max_pixels=Settings().max_pixels)
    except ApiError as error:
        return f"{error.status:d} {error.code}"
    return "200"


def peak_mb() -> int:
    """Return the most memory that this program held; getrusage counts what it was forked from."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[0]) // 1000

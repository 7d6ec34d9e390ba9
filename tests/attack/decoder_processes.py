"""Separate processes in which the handler opens files that can crash a decoder.

A decoder in C can crash its process or never return. Both outcomes are reported and counted, and
the next file gets a new process.
"""

from __future__ import annotations

import os
import re
import resource
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from events import make
from tests.attack.target import Target, blur, outcome_of, quick_networks

from blur.errors import ApiError
from blur.imaging.decode.decoder import decode
from blur.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from multiprocessing.connection import Connection

PROCESSES = 2
TIMEOUT_S = 120
"""A process that does not respond within this time is killed; most files need much less time."""
ADDRESS_SPACE_BYTES = 12 << 30
"""The limit of each process's address space: an allocation that would exceed it fails."""
LIMIT_S = 10
"""The maximum CPU time for one file, summed over all threads of the process."""
LIMIT_MB = 1769
"""The limit of resident memory: the memory of the smallest function in docs/operations.md."""


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one file, and the time and the memory that its process needed."""

    name: str
    outcome: str
    seconds: float = 0
    peak_mb: int = 0

    @property
    def is_handled(self) -> bool:
        """Whether the file was accepted or rejected with a status, in limited time and memory."""
        answered = self.outcome[:1].isdecimal()
        return answered and self.seconds < LIMIT_S and self.peak_mb < LIMIT_MB


@dataclass
class Results:
    """The outcomes of all files."""

    all: list[Result] = field(default_factory=list)

    @property
    def failures(self) -> list[Result]:
        """The results for which `is_handled` is false."""
        return [result for result in self.all if not result.is_handled]

    def summary(self) -> str:
        """Summarize the outcomes and the peaks of time and memory, for docs/reliability.md."""
        ends = Counter(one.outcome[:1] for one in self.all)
        return (
            f"{ends['2']:,} accepted, {ends['4']:,} rejected with a documented 4xx, "
            f"{len(self.all) - ends['2'] - ends['4']} with another outcome; at most "
            f"{max(one.seconds for one in self.all):.1f} s of CPU and "
            f"{max(one.peak_mb for one in self.all):,} MB"
        )


class DecoderProcess:
    """Sends files to a process; replaces a process that crashes or does not respond."""

    def __init__(self, model_dir: Path) -> None:
        """Start the first process."""
        self._model_dir = model_dir
        self._start()

    def _start(self) -> None:
        spawn = get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        # A killed process cannot remove its folder, so this process creates and removes it.
        self._folder = TemporaryDirectory()
        given = (theirs, Path(self._folder.name), self._model_dir)
        self._process = spawn.Process(target=_inside, args=given, daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.recv()  # wait until the process is ready, so that its start is not measured

    def result_of(self, name: str, image: bytes, fields: dict[str, str] | None) -> Result:
        """Decode one file; with `fields`, send the file through the whole service instead."""
        self._pipe.send((image, fields))
        try:
            if self._pipe.poll(TIMEOUT_S):
                outcome, seconds, peak_mb = self._pipe.recv()
                return Result(name, outcome, seconds, peak_mb)
            outcome = "no response"
        except EOFError:
            self._process.join()
            outcome = f"process ended with exit code {self._process.exitcode}"
        self.close()
        self._start()
        return Result(name, outcome)

    def close(self) -> None:
        """Stop the process."""
        self._process.kill()
        self._process.join()
        self._pipe.close()
        self._folder.cleanup()


@contextmanager
def decoder_processes(model_dir: Path, count: int = PROCESSES) -> Iterator[list[DecoderProcess]]:
    """Start processes, and stop them when the context ends."""
    with ThreadPoolExecutor(count) as pool:
        started = list(pool.map(DecoderProcess, [model_dir] * count))
    try:
        yield started
    finally:
        for process in started:
            process.close()


def decode_all(
    files: Iterable[tuple[str, bytes]],
    processes: Sequence[DecoderProcess],
    *,
    whole_each: int = 1,
    **fields: str,
) -> Results:
    """Decode the files in the processes.

    Send every `whole_each`-th file through the whole service instead, with `fields`.
    """
    with ThreadPoolExecutor(len(processes)) as pool:
        free: SimpleQueue[DecoderProcess] = SimpleQueue()
        for process in processes:
            free.put(process)

        def result_of(numbered: tuple[int, tuple[str, bytes]]) -> Result:
            process = free.get()
            number, (name, image) = numbered
            try:
                return process.result_of(name, image, None if number % whole_each else fields)
            finally:
                free.put(process)

        return Results(list(pool.map(result_of, enumerate(files))))


def _inside(pipe: Connection, folder: Path, model_dir: Path) -> None:
    os.environ["POWERTOOLS_METRICS_DISABLED"] = "true"
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    quick_networks(pytest.MonkeyPatch())
    target = Target(folder, model_dir)
    target(make.blur())  # load everything before the first measurement
    pipe.send("ready")
    while True:
        image, fields = pipe.recv()
        started = time.process_time()
        try:
            whole = fields is not None
            outcome = outcome_of(target(blur(image, **fields))) if whole else _decoded(image)
        except Exception as error:  # noqa: BLE001 - every exception is reported
            outcome = f"{error!r}: {target.log.getvalue()}"
        pipe.send((outcome, time.process_time() - started, peak_mb()))


def _decoded(image: bytes) -> str:
    try:
        decode(image, max_pixels=Settings().max_pixels)
    except ApiError as error:
        return f"{error.status:d} {error.code}"
    return "200"


def peak_mb() -> int:
    """Return the peak memory of this process in MB; getrusage would include the parent process."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[0]) // 1000

"""Many photos at once: threads that blur, and one that takes their results."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from bgblur.blurring.engines import Failure, Made, Stopped
from bgblur.blurring.output import is_taken

if TYPE_CHECKING:
    from bgblur.blurring.engines import Engine, Photo, Tell
    from bgblur.blurring.paths import Task

TICK_S = 0.1
"""How often whoever waits for a result gets to draw how far it is."""
HOPELESS = frozenset(
    {"connection_failed", "forbidden", "insufficient_credits", "invalid_api_key", "not_found"}
)
"""What the next photo would end in as well."""
NOT_BEGUN = Failure("not_begun", "not begun")


@dataclass(slots=True)
class Job:
    """A task that is being carried out; its thread writes it, the display reads it."""

    task: Task
    photo: Photo
    step: str = ""
    done: float = 0.0
    """0 to 1."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task."""

    task: Task
    result: Made | Failure
    seconds: float = 0.0


class Crew:
    """So many threads at work on jobs, until there are none or `stop` is set."""

    def __init__(self, engine: Engine, size: int, stop: threading.Event, *, force: bool) -> None:
        """Prepare a crew that replaces existing files only with `force`."""
        self._engine = engine
        self._size = size
        self._stop = stop
        self._force = force
        self._hopeless = threading.Event()
        self._waiting: SimpleQueue[Job] = SimpleQueue()
        self._outcomes: SimpleQueue[Outcome] = SimpleQueue()
        self._running: dict[int, Job] = {}

    @property
    def running(self) -> list[Job]:
        """The jobs that are being worked on."""
        return list(self._running.values())

    def outcomes(self, jobs: Sequence[Job]) -> Iterator[Outcome | None]:
        """Carry the jobs out; yield each outcome as it comes, and None at every tick between.

        What is yielded is written by the caller's thread alone, so that ending that one
        thread leaves nothing half written, whatever the others do.
        """
        for job in jobs:
            self._waiting.put(job)
        for number in range(min(self._size, len(jobs))):
            # A daemon: it must not keep the process alive when the user insists on its end.
            threading.Thread(target=self._work, args=(number,), daemon=True).start()
        awaited = len(jobs)
        while awaited:
            try:
                outcome = self._outcomes.get(timeout=TICK_S)
            except Empty:
                yield None
                continue
            awaited -= 1
            yield outcome

    def _work(self, number: int) -> None:
        while True:
            try:
                job = self._waiting.get_nowait()
            except Empty:
                return
            self._running[number] = job
            began = time.monotonic()
            result = self._result(job)
            del self._running[number]
            self._outcomes.put(Outcome(job.task, result, time.monotonic() - began))

    def _result(self, job: Job) -> Made | Failure:
        if self._stop.is_set() or self._hopeless.is_set():
            return NOT_BEGUN
        target = job.task.target
        try:
            if target is not None and not self._force and is_taken(target):
                return Failure("exists", f"{target} is there already; --force replaces it")
            return self._engine(job.photo, self._teller(job))
        except Stopped:
            return Failure("interrupted", "interrupted")
        except Failure as failure:
            if failure.code in HOPELESS:
                self._hopeless.set()
            return failure
        except Exception as error:  # noqa: BLE001 - one photo must not take the others along
            return _unforeseen(error)

    def _teller(self, job: Job) -> Tell:
        def tell(step: str, done: float) -> None:
            if self._stop.is_set():
                raise Stopped
            job.step, job.done = step, done

        return tell


def _unforeseen(error: Exception) -> Failure:
    if isinstance(error, OSError):
        return Failure("unreadable", error.strerror or str(error))
    return Failure("internal_error", f"{type(error).__name__}: {error}")

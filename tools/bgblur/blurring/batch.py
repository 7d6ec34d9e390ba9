"""Blur many photos in several threads; one consumer receives the outcomes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeAlias

from bgblur.blurring.backends import BlurredFile, Failure, Interrupted
from bgblur.blurring.output import require_writable, would_replace

if TYPE_CHECKING:
    from bgblur.blurring.backends import Backend, Photo, ProgressCallback
    from bgblur.blurring.paths import Task

TICK_S = 0.1
"""The interval at which a waiting consumer gets None, so that it can draw the progress."""
FATAL_CODES = frozenset(
    {"connection_failed", "forbidden", "insufficient_credits", "invalid_api_key", "not_found"}
)
"""The codes of errors after which the batch stops, because all further photos would fail too."""
NOT_STARTED = Failure("not_begun", "not started")
INTERRUPTED = Failure("interrupted", "interrupted")


@dataclass(frozen=True, slots=True)
class Skipped:
    """The outcome for a photo that was skipped, because its result already exists."""


@dataclass(slots=True)
class TaskRun:
    """A task in progress. Its thread writes `step` and `done`; the display reads them."""

    task: Task
    photo: Photo
    step: str = ""
    done: float = 0.0
    """The progress, 0 to 1."""


TaskResult: TypeAlias = BlurredFile | Skipped | Failure


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """A finished task."""

    task: Task
    result: TaskResult
    seconds: float = 0.0


class BatchRunner:
    """Processes photos on a fixed number of threads; if `stop` is set, no further photo starts."""

    def __init__(
        self, backend: Backend, threads: int, stop: threading.Event, *, overwrite: bool
    ) -> None:
        """Prepare a runner; without `overwrite`, photos whose result exists are skipped."""
        self._backend = backend
        self._threads = threads
        self._stop = stop
        self._overwrite = overwrite
        self._fatal = threading.Event()
        self._waiting: SimpleQueue[TaskRun] = SimpleQueue()
        self._outcomes: SimpleQueue[TaskOutcome] = SimpleQueue()
        self._running: dict[int, TaskRun] = {}

    @property
    def running(self) -> list[TaskRun]:
        """The photos in progress."""
        return list(self._running.values())

    def outcomes(self, runs: Sequence[TaskRun]) -> Iterator[TaskOutcome | None]:
        """Process the photos and yield each outcome; if none is ready, yield None at each tick.

        Files are written only in the caller's thread, so a second Ctrl-C leaves no incomplete file.
        """
        for run in runs:
            self._waiting.put(run)
        for number in range(min(self._threads, len(runs))):
            # A daemon thread does not keep the process alive after a second Ctrl-C.
            threading.Thread(target=self._work, args=(number,), daemon=True).start()
        remaining = len(runs)
        while remaining:
            try:
                outcome = self._outcomes.get(timeout=TICK_S)
            except Empty:
                yield None
                continue
            remaining -= 1
            yield outcome

    def _work(self, number: int) -> None:
        while True:
            try:
                run = self._waiting.get_nowait()
            except Empty:
                return
            self._running[number] = run
            began = time.monotonic()
            result = self._run(run)
            del self._running[number]
            self._outcomes.put(TaskOutcome(run.task, result, time.monotonic() - began))

    def _run(self, run: TaskRun) -> TaskResult:
        if self._stop.is_set() or self._fatal.is_set():
            return NOT_STARTED
        try:
            return self._check_target(run.task) or self._backend(
                run.photo, run.task.format, self._progress_of(run)
            )
        except Interrupted:
            return INTERRUPTED
        except Failure as failure:
            if failure.code in FATAL_CODES:
                self._fatal.set()
            return failure
        except Exception as error:  # noqa: BLE001 - one photo must not stop the others
            return _unexpected(error)

    def _check_target(self, task: Task) -> Skipped | Failure | None:
        """Return the outcome of a task whose result exists or cannot be written."""
        if task.target is None:
            return None
        try:
            if would_replace(task.target) and not self._overwrite:
                return Skipped()
            require_writable(task.target)
        except OSError as error:
            return unwritable(task, error)
        return None

    def _progress_of(self, run: TaskRun) -> ProgressCallback:
        def progress(step: str, done: float) -> None:
            if self._stop.is_set():
                raise Interrupted
            run.step, run.done = step, done

        return progress


def unwritable(task: Task, error: OSError, call: Mapping[str, Any] | None = None) -> Failure:
    """Return the failure of a task whose result cannot be written; `call` has the API's charge."""
    message = f"{task.target or 'standard output'}: {error.strerror}"
    return Failure("unwritable", message, **(call or {}))


def _unexpected(error: Exception) -> Failure:
    if isinstance(error, OSError):
        return Failure("unreadable", error.strerror or str(error))
    return Failure("internal_error", f"{type(error).__name__}: {error}")

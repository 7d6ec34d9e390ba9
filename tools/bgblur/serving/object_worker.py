"""Bulk jobs in a worker process: for each task, the worker claims and processes one photo of a job.

The worker claims the photo itself, so the front process never waits for the store. The front
process sends a task only to a worker that no request needs at this moment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from aws_lambda_powertools import Logger

from blur.app import NAME
from blur.clock import now
from blur.errors import UnavailableError
from blur.job_app import build_runner, has_workers
from blur.jobs.connect import open_job_store
from blur.jobs.sqlite.job_store import SqliteJobStore
from blur.storage.job_folder import JobFolder

if TYPE_CHECKING:
    from blur.accounts.model import Instant
    from blur.engine import Engine
    from blur.jobs.model import JobObject
    from blur.jobs.runner import EndedObject, ObjectRunner, Outcome
    from blur.settings import Settings


LOGGER = logging.getLogger(__name__)
RESULTS_SHARE = 2
"""Results must leave `BLUR_JOB_FREE_BYTES` / 2 of the disk free. Uploads must leave all of
`BLUR_JOB_FREE_BYTES` free, so that the results of the last photos have space."""


@dataclass(frozen=True, slots=True)
class ObjectTask:
    """The message that lets a worker process one photo of a job."""

    lease_s: float
    """The time during which no other worker can claim the photo."""
    left_ms: int
    """The time until the worker is killed."""


class Claims(Protocol):
    """The store from which workers claim photos: `blur.jobs.sqlite.job_store.SqliteJobStore`."""

    def claim_object(self, *, now_us: Instant, lease_s: float) -> JobObject | None:
        """Return the next photo of a job; no other worker gets it before the lease ends."""
        ...


@dataclass(frozen=True, slots=True)
class ObjectTaskResult:
    """The outcome of an `ObjectTask`. A worker first sends its claimed photo, then this result."""

    outcome: Outcome
    row: JobObject | None = None
    """The photo's final row, if the worker has written it to the store during this task."""
    steps_ms: Mapping[str, float] = field(default_factory=dict)


class ObjectWorker:
    """Claims and processes one photo of a job for each `ObjectTask` that the worker gets."""

    def __init__(
        self, queue: Claims, runner: ObjectRunner, *, has_space: Callable[[], bool] = lambda: True
    ) -> None:
        """Keep the queue of waiting photos, and the runner, which processes one photo.

        The `ObjectTaskResult` has the row that the runner has written, and the time of each step.

        The worker claims no photo while `has_space()` is false, because results would not fit on
        the disk.
        """
        self._queue = queue
        self._has_space = has_space
        self._had_space = True
        self._log_ended = runner.on_ended
        self._runner = replace(runner, on_ended=self._end)
        self._ended: EndedObject | None = None

    def process(self, task: ObjectTask, send: Callable[[object], None]) -> None:
        """Send the claimed photo, then the result; or only None if no photo can be claimed."""
        claimed = self._claim(task)
        send(claimed)
        if claimed is not None:
            send(self._run(claimed, task.left_ms))

    def _claim(self, task: ObjectTask) -> JobObject | None:
        try:
            if not self._is_space_left():
                return None
            return self._queue.claim_object(now_us=now(), lease_s=task.lease_s)
        except UnavailableError:
            return None
        except Exception:  # an error in a job must not stop a worker that requests need
            LOGGER.exception("a worker could not claim a photo of a job")
            return None

    def _is_space_left(self) -> bool:
        has_space, had_space = self._has_space(), self._had_space
        self._had_space = has_space
        if had_space and not has_space:
            LOGGER.warning("photos of jobs wait, because the disk is almost full")
        return has_space

    def _run(self, claimed: JobObject, left_ms: int) -> ObjectTaskResult:
        self._ended = None
        outcome = self._runner.run(
            claimed.job_id, claimed.source, attempt=claimed.attempts, left_ms=left_ms
        )
        if self._ended is None:
            return ObjectTaskResult(outcome)
        return ObjectTaskResult(outcome, self._ended.row, self._ended.steps_ms)

    def _end(self, ended: EndedObject) -> None:
        self._log_ended(ended)
        self._ended = ended


def open_object_worker(settings: Settings, engine: Engine) -> ObjectWorker | None:
    """Return this process's worker for photos of jobs; it shares `engine` with the handler.

    Return None if this machine processes no jobs; see `local_jobs`.
    """
    store = open_machine_store(settings)
    if store is None:
        return None
    runner = build_runner(settings, logger=Logger(service=NAME), engine=engine)
    files = runner.files
    if not isinstance(files, JobFolder):
        return None
    has_space = partial(files.has_space, settings.job_free_bytes // RESULTS_SHARE)
    return ObjectWorker(store, runner, has_space=has_space)


def open_machine_store(settings: Settings) -> SqliteJobStore | None:
    """Return the store of the jobs whose photos this machine processes.

    Return None if this machine processes no jobs. It processes jobs only if their data is in a
    SQLite file and their photos are in a folder.
    """
    if not (has_workers(settings) and settings.accounts.startswith("sqlite:")):
        return None
    store = open_job_store(settings.accounts)
    return store if isinstance(store, SqliteJobStore) else None

"""Bulk jobs on one machine, with photos in a folder and job data in the accounts' SQLite file.

With any other store or storage, this server neither receives nor processes photos of jobs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from bgblur.serving.job_dispatcher import RETRY_PAUSES_S, JobDispatcher
from bgblur.serving.keeper_loop import KEEP_EVERY_S, KEEP_RUN_S
from bgblur.serving.object_worker import open_machine_store
from bgblur.serving.uploads import JobUploadReceiver
from bgblur.serving.worker import LEASE_MARGIN_S
from blur.app import NAME
from blur.clock import now
from blur.job_app import build_keeper
from blur.storage.job_folder import JobFolder
from blur.storage.location import open_storage

if TYPE_CHECKING:
    from blur.jobs.keeper import JobKeeper
    from blur.jobs.sqlite.job_store import SqliteJobStore
    from blur.settings import Settings


@dataclass(frozen=True, slots=True)
class LocalJobs:
    """The parts of the front process that serve bulk jobs."""

    folder: JobFolder
    store: SqliteJobStore
    dispatcher: JobDispatcher
    leave_bytes: int

    def uploads(self) -> JobUploadReceiver:
        """Return the receiver of uploads; after each photo, it calls `dispatcher.add`."""
        return JobUploadReceiver(
            folder=self.folder,
            queue=self.store,
            leave_bytes=self.leave_bytes,
            on_added=self.dispatcher.add,
        )

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def open_local_jobs(settings: Settings, workers: int) -> LocalJobs | None:
    """Open the folder, the store and the dispatcher for jobs; return None if jobs are not enabled.

    The server has `workers` workers.
    """
    store, folder = open_machine_store(settings), open_storage(settings.media).jobs
    if store is None or not isinstance(folder, JobFolder):
        return None
    limit = min(workers, settings.job_workers or max(1, workers - 1))
    dispatcher = JobDispatcher(store, workers=workers, limit=limit)
    return LocalJobs(folder, store, dispatcher, settings.job_free_bytes)


def open_keeper(settings: Settings) -> JobKeeper:
    """Return a keeper for the bulk jobs on this machine, with its own connection to the store.

    Raises:
        ValueError: the settings enable no bulk jobs on this machine.

    """
    store = open_machine_store(settings)
    if store is None:
        message = "this machine has no jobs"
        raise ValueError(message)

    def add_all(job_id: str, sources: Iterable[str]) -> None:
        for source in sources:
            store.add_object(job_id, source, now_us=now())

    lease_s = settings.hold_ttl_s + LEASE_MARGIN_S
    return build_keeper(
        settings,
        logger=Logger(service=NAME),
        enqueue=add_all,
        announce=lambda _: None,
        period_s=KEEP_EVERY_S,
        retry_s=lease_s + max(RETRY_PAUSES_S),
        max_attempt_s=lease_s,
        max_run_s=KEEP_RUN_S,
    )

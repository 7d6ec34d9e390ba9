"""The bulk jobs of one machine: their photos in a folder, their rows in the file of the accounts.

With another store or storage, this server receives no photos of jobs and processes none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bgblur.serving.job_drain import JobDrain
from bgblur.serving.object_turn import open_machine_store
from bgblur.serving.uploads import JobUploads
from blur.storage.job_folder import JobFolder
from blur.storage.location import open_storage

if TYPE_CHECKING:
    from blur.jobs.sqlite.job_store import SqliteJobStore
    from blur.settings import Settings


@dataclass(frozen=True, slots=True)
class ServedJobs:
    """The parts of the front process."""

    folder: JobFolder
    store: SqliteJobStore
    drain: JobDrain
    leave_bytes: int

    def uploads(self) -> JobUploads:
        """Return the receiver of photos, which lets the drain look for each at once."""
        return JobUploads(
            folder=self.folder,
            queue=self.store,
            leave_bytes=self.leave_bytes,
            on_added=self.drain.add,
        )

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def open_served_jobs(settings: Settings, workers: int) -> ServedJobs | None:
    """Return the jobs of this machine, for a pool of this size; None if it has none."""
    store, folder = open_machine_store(settings), open_storage(settings.media).jobs
    if store is None or not isinstance(folder, JobFolder):
        return None
    limit = min(workers, settings.job_workers or max(1, workers - 1))
    drain = JobDrain(store, workers=workers, limit=limit)
    return ServedJobs(folder, store, drain, settings.job_free_bytes)

"""Send the photos of a folder to a job. A run that was interrupted can be continued."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from bgblur import local_settings
from bgblur.blurring.options import OPTIONS
from bgblur.jobs.connection import is_job_id
from bgblur.jobs.folder import is_text
from bgblur.jobs.journal import Journal
from bgblur.printable import printable

if TYPE_CHECKING:
    from bgblur.jobs.folder import Folder
    from bgblur.jobs.progress import JobDisplay
    from blur_client import BlurClientError, Job
    from blur_client.jobs import Jobs

LONG_WAIT_S = 5.0
"""The shortest wait whose reason is shown; shorter waits are normal."""
POLL_S = 2.0
"""The time between two requests for the state of a job."""


@dataclass
class Submission:
    """The upload of a folder to one job."""

    jobs: Jobs
    folder: Folder
    job_id: str
    display: JobDisplay
    stop: threading.Event
    """When this event is set, no further upload starts."""
    uploaded: int = 0
    skipped: int = 0
    """Photos that an earlier run has uploaded."""
    failures: list[tuple[str, str]] = field(default_factory=list)
    """The name of each photo that could not be uploaded, and the reason."""
    is_open: bool = False
    """Whether the upload has started, and the job is not closed yet."""
    _shown_error: str = field(default="", init=False)

    def counts(self) -> dict[str, Any]:
        """Return the counts for the JSON output."""
        failures = [{"source": source, "message": reason} for source, reason in self.failures]
        return {
            "uploaded": self.uploaded,
            "skipped": self.skipped,
            "not_uploaded": failures,
        }

    def run(self, threads: int) -> Job:
        """Upload all photos and close the job; return the job.

        If `stop` was set, the job stays open.

        Raises:
            BlurClientError: an error that would also occur for all other photos; the job stays
            open, except after `JobClosedError`.
            OSError: the folder or the journal cannot be read or written.

        """
        total = sum(1 for _ in self.folder.photos())
        with Journal(journal_path(self.job_id)) as journal:
            uploads = self.jobs.uploads(self.job_id)
            self.is_open = True
            self._show(total)
            waiting = self._waiting(journal)
            for each in uploads.upload_all(waiting, threads=threads, on_wait=self._show_wait):
                if each.error is None:
                    journal.add(each.source)
                    self.uploaded += 1
                else:
                    self._fail(each.source, _reason(each.error))
                self._show(total)
            if self.stop.is_set():
                return self.jobs.status(self.job_id)
            job = self.jobs.close(self.job_id)
            self.is_open = False
            journal.remove()
        return job

    def _waiting(self, journal: Journal) -> Iterator[tuple[str, Path]]:
        """Yield the photos that were not uploaded yet."""
        for source, path in self.folder.photos():
            if self.stop.is_set():
                return
            if source in journal:
                self.skipped += 1
            elif is_text(source):
                yield source, path
            else:
                self._fail(source, "its name is not valid Unicode")

    def _fail(self, source: str, reason: str) -> None:
        self.failures.append((source, reason))
        self.display.print(f"Error: {source}: {reason}", style="red")

    def _show_wait(self, wait_s: float, error: BlurClientError) -> None:
        """Print the reason for a long wait once; all uploading threads call this method."""
        if wait_s >= LONG_WAIT_S and str(error) != self._shown_error:
            self._shown_error = str(error)
            self.display.print(f"Waiting {wait_s:.0f} s before each new attempt: {_reason(error)}")

    def _show(self, total: int) -> None:
        done = self.uploaded + self.skipped + len(self.failures)
        details = f"{len(self.failures)} failed" if self.failures else ""
        if self.stop.is_set():
            details = "finishing running uploads; Ctrl-C again stops immediately"
        self.display.update("Uploading", done, total, details)


def require_same_parameters(job: Job, context: click.Context) -> None:
    """Reject options that differ from the job's parameters, which never change.

    Raises:
        click.UsageError: an option of the command line has another value, or sets a notification.

    """
    given = {
        name: str(value).strip()
        for name, value in context.params.items()
        if name in {"notify", *(option.field for option in OPTIONS)}
        and context.get_parameter_source(name) is not ParameterSource.DEFAULT
    }
    differing = [name for name, value in given.items() if job.parameters.get(name) != value]
    if differing:
        parameters = " ".join(f"--{name} '{value}'" for name, value in job.parameters.items())
        message = (
            f"The parameters of job {job.job_id} cannot be changed: {parameters}."
            f" Leave out --{' and --'.join(differing)}, or create a new job."
        )
        raise click.UsageError(printable(message))


def create_job(jobs: Jobs, options: Mapping[str, Any], notify: str | None) -> Job:
    """Create a job with the options that were set, and the address for the job's notification.

    Raises:
        click.ClickException: the job's id is not a safe file name, so it cannot have a journal.
        BlurClientError: the API did not create the job.

    """
    fields = {name: value for name, value in options.items() if value is not None}
    job = jobs.create(**fields, notify=notify)
    if not is_job_id(job.job_id):
        message = f"The API sent {job.job_id!r}, which is not a valid job id."
        raise click.ClickException(message)
    return job


def follow_job(jobs: Jobs, job: Job, display: JobDisplay, stop: threading.Event) -> Job:
    """Show the progress until the job has ended or `stop` is set; return the job's last state."""
    while True:
        display.show_job(job)
        if job.has_ended or stop.wait(POLL_S):
            return job
        job = jobs.status(job.job_id)


def journal_path(job_id: str) -> Path:
    """Return the path of the job's journal, in the data folder."""
    return local_settings.data_folder(os.environ) / "jobs" / f"{job_id}.uploaded"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)

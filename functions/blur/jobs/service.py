"""The use cases of bulk jobs: create, find, close and cancel a job, and read its results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from blur.accounts.model import SECOND_US
from blur.errors import UploadNotFoundError
from blur.job_errors import JobNotFoundError, ResultNotFoundError, TooManyJobsError
from blur.jobs.model import Job, JobState, Notification, ObjectState
from blur.storage.ports import KEEP_DAYS

if TYPE_CHECKING:
    from blur.accounts.keys import ApiKey
    from blur.accounts.model import Instant
    from blur.jobs.ports import JobFiles, JobStore, ObjectPage
    from blur.storage.ports import Link, PresignedForm

MAX_ACTIVE = 1_000
"""The maximum number of active jobs of an account; see `JobStore.list_active`."""
KEPT_US = KEEP_DAYS * 86_400 * SECOND_US
"""How long results are kept."""
ENDED_STATES = tuple(state for state in ObjectState if state.has_ended)


@dataclass(frozen=True, slots=True)
class StoredResult:
    """The result of an object: a link, or the file itself."""

    content_type: str
    link: Link | None = None
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobService:
    """The use cases of jobs; with a key, only jobs of the key's account can be found."""

    jobs: JobStore
    files: JobFiles
    max_bytes: int
    """The size of the largest photo, in bytes."""
    check_notify: Callable[[str], None]
    """Raise `InvalidNotifyError` for an address to which no notification is sent."""
    clock: Callable[[], Instant]
    new_id: Callable[[], str]
    new_secret: Callable[[], str]
    """Return a new secret to sign notifications with."""
    public_url: str = ""
    """The address of this server, for the forms that clients send to this server."""

    def create(self, key: ApiKey, parameters: Mapping[str, str], notify: str | None) -> Job:
        """Create an open job for the key's account; `notify` is a URL.

        Raises:
            InvalidNotifyError: no notification can be sent to this URL.
            TooManyJobsError: the account has `MAX_ACTIVE` active jobs; two requests at the same
                time can exceed this limit.

        """
        notification = None
        if notify is not None:
            self.check_notify(notify)
            notification = Notification(url=notify, secret=self.new_secret())
        if self.jobs.count_active(key.account_id, most=MAX_ACTIVE) >= MAX_ACTIVE:
            raise TooManyJobsError
        job = Job(
            job_id=self.new_id(),
            account_id=key.account_id,
            key_digest=key.digest,
            key_kind=key.kind,
            parameters=parameters,
            created_us=self.clock(),
            notification=notification,
        )
        self.jobs.create_job(job)
        return job

    def find(self, key: ApiKey, job_id: str) -> Job:
        """Return a job of the key's account.

        Raises:
            JobNotFoundError: the account has no job with this id.

        """
        job = self.jobs.find_job(job_id)
        if job.account_id != key.account_id:
            raise JobNotFoundError
        return job

    def close(self, key: ApiKey, job_id: str) -> Job:
        """Close a job, if it is open, and return the job.

        Raises:
            JobNotFoundError: the account has no job with this id.

        """
        job = self.find(key, job_id)
        is_open = job.state is JobState.OPEN
        return self.jobs.close_job(job.job_id, now_us=self.clock()) if is_open else job

    def cancel(self, key: ApiKey, job_id: str) -> Job:
        """Cancel a job, if it has not ended, and return the job.

        Raises:
            JobNotFoundError: the account has no job with this id.

        """
        job = self.find(key, job_id)
        return job if job.has_ended else self.jobs.cancel_job(job.job_id, now_us=self.clock())

    def presign(self, job: Job) -> PresignedForm:
        """Return a form for uploading photos to a job; the caller checks that the job is open."""
        form = self.files.presign_sources(job.job_id, max_bytes=self.max_bytes, now_us=self.clock())
        is_ours = form.url.startswith("/")
        return replace(form, url=f"{self.public_url}{form.url}") if is_ours else form

    def failures(self, job: Job, *, after: str | None, limit: int) -> ObjectPage:
        """Return a page of failed objects."""
        states = (ObjectState.FAILED,)
        return self.jobs.list_objects(job.job_id, states=states, after=after, limit=limit)

    def ended_objects(self, job: Job, *, after: str | None, limit: int) -> ObjectPage:
        """Return a page of the objects with a final state; their rows are the manifest's lines."""
        return self.jobs.list_objects(job.job_id, states=ENDED_STATES, after=after, limit=limit)

    def result(self, job: Job, object_id: str) -> StoredResult:
        """Return the blurred image of a photo in a job.

        Raises:
            ResultNotFoundError: the object has no result, or the result has expired.

        """
        row = self.jobs.find_object(job.job_id, object_id)
        if row is None or row.content_type is None:
            raise ResultNotFoundError
        now_us = self.clock()
        if link := self.files.link_result(job.job_id, object_id, now_us=now_us):
            if now_us >= (row.at_us or 0) + KEPT_US:  # the link can lead to a deleted file
                raise ResultNotFoundError
            return StoredResult(row.content_type, link)
        try:
            return StoredResult(
                row.content_type, data=self.files.read_result(job.job_id, object_id)
            )
        except UploadNotFoundError as error:
            raise ResultNotFoundError from error

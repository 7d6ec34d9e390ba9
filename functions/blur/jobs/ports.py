"""The ports of bulk jobs: the store of jobs, and the files of their photos.

`sqlite.job_store` and `dynamo.job_store` implement `JobStore`, and one test suite runs against
both. `blur.storage.job_folder` and `blur.storage.job_bucket` implement `JobFiles`.

Every method is atomic. A repeated call has no further effect, except for
`record_notification_attempt`. So callers, SDKs and queues can repeat calls. The current time is
always an argument. Every method raises `UnavailableError` if the store cannot be reached within
about two seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from blur.accounts.model import Hold, Instant
    from blur.jobs.model import Job, JobObject, ObjectState
    from blur.storage.ports import Link, PresignedForm


class ObjectPage(NamedTuple):
    """A page of a job's rows, in the order of their object ids."""

    objects: tuple[JobObject, ...]
    after: str | None
    """The cursor of the next page: the last object id; None if this is the last page."""


class JobStore(Protocol):
    """The store of jobs and their rows, in the same table or file as the accounts."""

    def create_job(self, job: Job) -> None:
        """Store a new job; a repeated call has no effect."""
        ...

    def find_job(self, job_id: str) -> Job:
        """Return the job.

        Raises:
            JobNotFoundError: the job does not exist or has expired.

        """
        ...

    def close_job(self, job_id: str, *, now_us: Instant) -> Job:
        """Close an open job; return the job. A job in another state does not change.

        Raises:
            JobNotFoundError: the job does not exist or has expired.

        """
        ...

    def cancel_job(self, job_id: str, *, now_us: Instant) -> Job:
        """Cancel a job that has not ended; return the job.

        Objects that workers have already started to process are still processed. `end_job` ends the
        job when every object has a final row.

        Raises:
            JobNotFoundError: the job does not exist or has expired.
        """
        ...

    def set_paused(self, job_id: str, *, is_paused: bool) -> None:
        """Pause or resume the job, unless it has ended."""
        ...

    def reserve_object(self, hold: Hold, *, now_us: Instant) -> None:
        """Authenticate the key, and reserve an object's price, without effect on the rate limit.

        While the hold lasts, a repeated call with the same `hold_id` creates no second hold, but
        extends the first hold to the later expiry.

        Raises:
            InvalidApiKeyError: the key is revoked, expired or unknown.
            InsufficientCreditsError: the balance is below the price.

        """
        ...

    def end_object(self, row: JobObject, hold: Hold | None, *, now_us: Instant) -> bool:
        """Store the final row, end the hold, and count the object and the charge, in one write.

        With `ObjectState.DONE` the hold is settled, otherwise it is refunded. If the hold has
        expired, nothing is charged, and the row has `charged` 0. The store sets `charged` and
        `at_us` of the row. Returns False if the object has a final row already, or if the job has
        ended (`ended_us`) or does not exist; then the hold is refunded, and nothing else changes.
        """
        ...

    def park_object(self, job_id: str, source: str, *, now_us: Instant) -> bool:
        """Write a `WAITING` row for an object that cannot be processed now.

        For example, the account can have too few credits, or the job can be paused.

        In SQLite, this also ends the object's lease, and the attempt does not count. Returns False,
        without a change, if the object has a final row already, or if the job has ended
        (`ended_us`) or does not exist.
        """
        ...

    def find_object(self, job_id: str, object_id: str) -> JobObject | None:
        """Return the object's row, if there is one."""
        ...

    def list_objects(
        self,
        job_id: str,
        *,
        states: Collection[ObjectState],
        after: str | None = None,
        limit: int,
    ) -> ObjectPage:
        """Return up to `limit` rows with these states, after the cursor."""
        ...

    def list_active(self) -> Iterator[Job]:
        """Yield the active jobs, which have not ended or whose end is not announced yet.

        If there are more than 2,000 active jobs, at least 2,000 of them are yielded.

        A job that has ended is yielded until `record_notification_attempt` is called with
        `next_attempt_us=None`, even if the job has no notification. So its end is announced again
        if the keeper is killed. The jobs are chosen and ordered at random, so that a keeper without
        time for all jobs reaches each of them in a later run.
        """
        ...

    def count_active(self, account_id: str, *, most: int) -> int:
        """Return the number of the account's active jobs (see `list_active`), at most `most`."""
        ...

    def end_job(self, job_id: str, *, received: int, now_us: Instant) -> bool:
        """End a closed or cancelled job if it has `received` final rows.

        Return whether the job has ended. An ended job gets `ended_us`. A closed job becomes `DONE`;
        a cancelled job stays `CANCELLED`. The job's number of objects becomes `received` or the
        number of the job's rows, whichever is larger. A job with a `WAITING` row does not end. If
        the job ends, the first attempt of its notification is due now.
        """
        ...

    def record_notification_attempt(self, job_id: str, *, next_attempt_us: Instant | None) -> None:
        """Count an attempt to announce the job's end, and set the time of the next attempt.

        With `next_attempt_us=None`, no further attempt follows.
        """
        ...

    def close(self) -> None:
        """Close files and connections."""
        ...


class JobFiles(Protocol):
    """The photos of jobs and their results. Photos and results are kept for `KEEP_DAYS`.

    Each method raises `UnavailableError` if the storage fails or does not respond in time.
    """

    def presign_sources(self, job_id: str, *, max_bytes: int, now_us: int) -> PresignedForm:
        """Return a form with which any number of photos can be uploaded, one in each request.

        Each request adds a field `key`: the form's `prefix` followed by the photo's name.
        """
        ...

    def copy_target(self, job_id: str) -> str | None:
        """Return the address to which operators can copy photos, such as `s3://…/`, if any."""
        ...

    def read_source(self, job_id: str, source: str, *, max_bytes: int) -> bytes:
        """Return a photo.

        Raises:
            UploadNotFoundError: the file does not exist or has expired.
            ImageTooLargeError: the photo has more than `max_bytes`.

        """
        ...

    def list_sources(self, job_id: str) -> Iterator[str]:
        """Yield the source of each stored photo, each source only once."""
        ...

    def write_result(
        self, job_id: str, object_id: str, data: bytes, *, content_type: str, file_name: str
    ) -> None:
        """Store a result; a repeated call replaces the stored result."""
        ...

    def link_result(self, job_id: str, object_id: str, *, now_us: int) -> Link | None:
        """Return a link to the result, or None if only `read_result` can return the result."""
        ...

    def read_result(self, job_id: str, object_id: str) -> bytes:
        """Return the bytes of the stored result.

        Raises:
            UploadNotFoundError: the file does not exist or has expired.

        """
        ...

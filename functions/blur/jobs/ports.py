"""The ports of bulk jobs: the store of jobs, and the files of their photos.

`sqlite.job_store` and `dynamo.job_store` implement `JobStore`, and one test suite runs against
both. `blur.storage.job_folder` and `blur.storage.job_bucket` implement `JobFiles`.

Every method is atomic, and every change happens at most once, so that callers, SDKs and queues can
repeat it. Time is always an argument. Every method raises `UnavailableError` if the store cannot be
reached within about two seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from blur.accounts.model import Hold, Instant
    from blur.jobs.model import Job, JobObject, ObjectState
    from blur.storage.ports import Link, PresignedForm


class ObjectPage(NamedTuple):
    """Some rows of a job, in the order of their object ids."""

    objects: tuple[JobObject, ...]
    after: str | None
    """The cursor of the next page: the last object id; None if this is the last page."""


class JobStore(Protocol):
    """Jobs and the rows of their objects, in the same table or file as the accounts."""

    def create_job(self, job: Job) -> None:
        """Store a new job; a repeated call has no effect."""
        ...

    def find_job(self, job_id: str) -> Job:
        """Return the job.

        Raises:
            JobNotFoundError: there is no such job, or it has expired.

        """
        ...

    def close_job(self, job_id: str, *, now_us: Instant) -> Job:
        """Close an open job; return the job. A job in another state does not change.

        Raises:
            JobNotFoundError: there is no such job.

        """
        ...

    def cancel_job(self, job_id: str, *, now_us: Instant) -> Job:
        """Cancel a job that has not ended; return the job. Objects that have started still end.

        `end_job` finishes it, when every object has a final row.

        Raises:
            JobNotFoundError: there is no such job.

        """
        ...

    def set_paused(self, job_id: str, *, is_paused: bool) -> None:
        """Pause the job or let it go on, unless it has ended."""
        ...

    def reserve_object(self, hold: Hold, *, now_us: Instant) -> None:
        """Authenticate and take the hold of an object, without counting in the rate limit.

        A repeated call with the same `hold_id` takes no second hold while the first one lasts; it
        extends the first one to the later expiry.

        Raises:
            InvalidApiKeyError: the key is revoked, expired or unknown.
            InsufficientCreditsError: the balance is below the price.

        """
        ...

    def end_object(self, row: JobObject, hold: Hold | None, *, now_us: Instant) -> bool:
        """Write the final row, end its hold and count both in the job, all in one write.

        With `ObjectState.DONE` the hold is settled, otherwise it is refunded; a hold that has
        expired charges nothing, and the row then has `charged` 0. The store sets `charged` and
        `at_us` of the row. Returns False, and changes nothing except that the hold is refunded, if
        the object has a final row already, or the job has `ended_us` or does not exist.
        """
        ...

    def park_object(self, job_id: str, source: str, *, now_us: Instant) -> bool:
        """Keep an object `WAITING` that could not start, such as for lack of credits.

        In SQLite, this also gives up its lease, and the attempt does not count. Returns False, and
        changes nothing, if the object has a final row already, or the job has `ended_us` or does
        not exist.
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
        """Yield the jobs that have not ended, or that still have to be announced.

        A job with `ended_us` is yielded until `record_attempt` with `next_attempt_us=None`, even if
        it has no notification, so that a keeper that is killed announces it again.
        """
        ...

    def end_job(self, job_id: str, *, received: int, now_us: Instant) -> bool:
        """End a closed or cancelled job, if it has `received` final rows; return whether it has.

        It gets `ended_us`; a closed one is `DONE`, a cancelled one stays `CANCELLED`. `received`
        becomes its count, even if rows are missing, unless there are more rows. A job with a
        `WAITING` row does not end. If it has a notification, its first attempt is due now.
        """
        ...

    def record_attempt(self, job_id: str, *, next_attempt_us: Instant | None) -> None:
        """Count an attempt to announce the end; the next one is due then, or never."""
        ...

    def close(self) -> None:
        """Close files and connections."""
        ...


class JobFiles(Protocol):
    """The photos of jobs and their results. Both are kept for `KEEP_DAYS`.

    Each method raises `UnavailableError` if the storage fails or does not respond in time.
    """

    def presign_sources(self, job_id: str, *, max_bytes: int, now_us: int) -> PresignedForm:
        """Return a form that uploads one photo after another.

        Each request adds a field `key`: the form's `prefix` followed by the photo's name.
        """
        ...

    def copy_target(self, job_id: str) -> str | None:
        """Return the address to which an operator can copy photos, such as `s3://…/`."""
        ...

    def read_source(self, job_id: str, source: str, *, max_bytes: int) -> bytes:
        """Return a photo.

        Raises:
            UploadNotFoundError: there is no such file, or it has expired.
            ImageTooLargeError: it has more than `max_bytes`.

        """
        ...

    def list_sources(self, job_id: str) -> Iterator[str]:
        """Yield the names of the photos, each once."""
        ...

    def write_result(
        self, job_id: str, object_id: str, data: bytes, *, content_type: str, file_name: str
    ) -> None:
        """Store a result; a repeated call replaces it."""
        ...

    def link_result(self, job_id: str, object_id: str, *, now_us: int) -> Link | None:
        """Return a link to the result, or None if only `read_result` can return it."""
        ...

    def read_result(self, job_id: str, object_id: str) -> bytes:
        """Return the result.

        Raises:
            UploadNotFoundError: there is no such file, or it has expired.

        """
        ...

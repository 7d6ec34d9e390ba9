"""Process one object of a job: reserve its price, compute the result, and write its final row."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING

from blur.accounts.model import SECOND_US, Hold, Instant, KeyKind
from blur.credits import ZERO
from blur.errors import (
    ApiError,
    InsufficientCreditsError,
    InternalError,
    InvalidApiKeyError,
    UnavailableError,
    UploadNotFoundError,
)
from blur.image_requests import BlurRequest
from blur.job_errors import JobNotFoundError
from blur.jobs.model import Job, JobObject, JobState, ObjectState, hold_id
from blur.prices import charged_price
from blur.timing import TOTAL, Stopwatch, before_timeout

if TYPE_CHECKING:
    from blur.credits import Credits
    from blur.engine import Engine
    from blur.imaging.blur_options import BlurOptions
    from blur.jobs.ports import JobFiles, JobStore
    from blur.prices import Prices
    from blur.timing import Deadline

MAX_ATTEMPTS = 3
"""The maximum number of attempts for an object. An attempt counts even if its worker was killed."""
LOST = f"Processing the photo failed {MAX_ATTEMPTS} times. Nothing was charged."
"""The message for a photo if all attempts ended without a final row."""
DELETED = "The photo was deleted before it was processed. Nothing was charged."
REVOKED = "The key of the job was revoked or has expired. Nothing was charged."
_MESSAGES = {UploadNotFoundError: DELETED, InvalidApiKeyError: REVOKED}
MAX_NAME = 100
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")

ParseOptions = Callable[[Mapping[str, str]], "BlurOptions"]
"""Return the blur options of a job; raise an `ApiError` if a parameter is not valid."""


class Outcome(StrEnum):
    """The outcome of an attempt; it decides if and how the queue delivers the object again."""

    ENDED = "ended"
    """Remove the object from the queue: it has a final row, or its job has ended or expired."""
    PARKED = "parked"
    """Remove the object from the queue; its row is `waiting`, and the keeper delivers the object
    again when the paused job is resumed."""
    RETRY = "retry"
    """Deliver the object again later; this attempt counts."""
    WAIT = "wait"
    """Deliver the object again later; this attempt does not count, because the store was
    unavailable."""


@dataclass(frozen=True, slots=True)
class EndedObject:
    """The values for the log line of an object whose final row this process has written."""

    job: Job
    row: JobObject
    steps_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRunner:
    """Processes the objects of jobs.

    An object can be delivered to several runners, even at the same time.
    """

    jobs: JobStore
    files: JobFiles
    engine: Engine
    prices: Prices
    parse: ParseOptions
    max_bytes: int
    """The size of the largest photo, in bytes."""
    hold_ttl_s: int
    """The seconds until a hold expires; a worker must finish a photo in less time."""
    deadline_margin_s: int
    clock: Callable[[], Instant]
    ticks: Callable[[], int]
    """Return the nanoseconds of a monotonic clock."""
    on_ended: Callable[[EndedObject], None] = lambda _: None
    on_error: Callable[[Exception], None] = lambda _: None
    """Write an unexpected exception to the log."""

    def run(self, job_id: str, source: str, *, attempt: int, left_ms: int) -> Outcome:
        """Process an object, unless it has a final row already.

        `attempt` is 1 at the first delivery; `left_ms` is the time until the worker is stopped.
        If the photo cannot be processed, the object gets a `failed` row. If the service fails, the
        object is retried; after `MAX_ATTEMPTS` it gets a `failed` row. Nothing is written while the
        store is unavailable.
        """
        try:
            job = self.jobs.find_job(job_id)
        except JobNotFoundError:
            return Outcome.ENDED
        except UnavailableError:
            return Outcome.WAIT
        row = JobObject(job_id=job_id, source=source, state=ObjectState.FAILED)
        try:
            return self._run(job, row, attempt, left_ms)
        except UnavailableError:
            return Outcome.WAIT
        except Exception as error:  # noqa: BLE001 - one object must not stop the worker
            self.on_error(error)
            return Outcome.RETRY

    def _run(self, job: Job, row: JobObject, attempt: int, left_ms: int) -> Outcome:
        """Cancel, park, fail or process the object, unless it has a final row or the job ended."""
        if job.ended_us is not None or self._has_ended(row):
            return Outcome.ENDED
        if job.state is JobState.CANCELLED:
            return self._end(job, replace(row, state=ObjectState.CANCELLED), None)
        if job.is_paused:
            return self._park(row)
        if attempt > MAX_ATTEMPTS:  # the last attempt's hold is not refunded here: it expires
            return self._end(job, replace(row, code=InternalError.code, message=LOST), None)
        return self._start(job, row, attempt, left_ms)

    def _start(self, job: Job, row: JobObject, attempt: int, left_ms: int) -> Outcome:
        """Reserve the price and process the object; pause the job if the balance is too low."""
        try:
            options = self.parse(job.parameters)
            hold = self._hold(job, row, job_price(job, self.prices, options))
            self.jobs.reserve_object(hold, now_us=self.clock())
        except InsufficientCreditsError:
            self.jobs.set_paused(job.job_id, is_paused=True)
            return self._park(row)
        except UnavailableError:
            raise
        except ApiError as error:  # the key is revoked, or a parameter is no longer valid
            return self._end(job, failed(row, error), None)
        watch = Stopwatch(self.ticks)
        deadline = before_timeout(self.clock, left_ms=left_ms, margin_s=self.deadline_margin_s)
        try:
            ended = self._process(job, row, options, watch, deadline)
        except Exception as error:  # noqa: BLE001 - only the object fails; the worker continues
            known = self._known(error)
            if known.status >= HTTPStatus.INTERNAL_SERVER_ERROR and attempt < MAX_ATTEMPTS:
                return Outcome.RETRY
            ended = failed(row, known)
        return self._end(job, ended, hold, watch)

    def _known(self, error: Exception) -> ApiError:
        """Return an `ApiError` unchanged; report any other error, and return `InternalError`."""
        if isinstance(error, ApiError):
            return error
        self.on_error(error)
        return InternalError()

    def _process(
        self, job: Job, row: JobObject, options: BlurOptions, watch: Stopwatch, deadline: Deadline
    ) -> JobObject:
        """Compute and store the result; return the final row.

        Raises:
            ApiError: the photo cannot be processed, or the service fails.

        """

        def begin(step: str) -> None:
            deadline.check()
            watch.step(step)

        begin("read")
        data = self.files.read_source(job.job_id, row.source, max_bytes=self.max_bytes)
        watermarked = job.key_kind is KeyKind.TEST
        output = BlurRequest(data, options).render(
            self.engine, watermarked=watermarked, on_step=begin
        )
        watch.step("store")
        self.files.write_result(
            job.job_id,
            row.object_id,
            output.image.data,
            content_type=output.image.content_type,
            file_name=result_name(row.source, options.output),
        )
        return replace(
            row,
            state=ObjectState.DONE,
            content_type=output.image.content_type,
            pixels=output.photo_pixels,
        )

    def _end(
        self, job: Job, row: JobObject, hold: Hold | None, watch: Stopwatch | None = None
    ) -> Outcome:
        """Write the final row, unless another runner has already written one."""
        durations_ms = dict(watch.durations_ms()) if watch else {}
        row = replace(row, duration_ms=round(durations_ms.pop(TOTAL, 0)))
        now_us = self.clock()
        if self.jobs.end_object(row, hold, now_us=now_us):
            is_charged = hold and row.state is ObjectState.DONE and now_us < hold.expires_us
            charged = hold.price if hold and is_charged else ZERO
            self.on_ended(EndedObject(job, replace(row, charged=charged), durations_ms))
        return Outcome.ENDED

    def _park(self, row: JobObject) -> Outcome:
        """Write a `WAITING` row, so that the object waits until its job is resumed.

        The object is retried if the job was resumed before the row was written.
        """
        if not self.jobs.park_object(row.job_id, row.source, now_us=self.clock()):
            return Outcome.ENDED
        return Outcome.PARKED if self.jobs.find_job(row.job_id).is_paused else Outcome.RETRY

    def _has_ended(self, row: JobObject) -> bool:
        known = self.jobs.find_object(row.job_id, row.object_id)
        return known is not None and known.state.has_ended

    def _hold(self, job: Job, row: JobObject, price: Credits) -> Hold:
        return Hold(
            hold_id=hold_id(job.job_id, row.source),
            account_id=job.account_id,
            key_digest=job.key_digest,
            price=price,
            expires_us=Instant(self.clock() + self.hold_ttl_s * SECOND_US),
        )


def job_price(job: Job, prices: Prices, options: BlurOptions) -> Credits:
    """Return the price of each photo of a job with these options."""
    return charged_price(job.key_kind, prices.blur_price(options))


def failed(row: JobObject, error: ApiError) -> JobObject:
    """Return the final row of an object whose processing failed with this error."""
    message = _MESSAGES.get(type(error), error.message)
    return replace(row, state=ObjectState.FAILED, code=error.code, message=message)


def result_name(source: str, output: str) -> str:
    """Return the name under which clients save the result, such as `photo.png`."""
    stem = source.rpartition("/")[2].rpartition(".")
    name = _NOT_IN_NAMES.sub("_", stem[0] or stem[2])[:MAX_NAME].strip("._")
    return f"{name or 'result'}.{output}"

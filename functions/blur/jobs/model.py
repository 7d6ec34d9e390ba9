"""The data types of bulk jobs: a job, its photos, and the outcome of each photo.

An object is one photo of a job. When the work on an object has ended, the object gets exactly one
final row, which names the object's source and decides the charge. So a message that is delivered
five times results in one row and at most one charge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from blur.accounts.model import SECOND_US
from blur.credits import ZERO

if TYPE_CHECKING:
    from blur.accounts.model import Instant, KeyKind
    from blur.credits import Credits

MAX_SOURCE_BYTES = 512
"""The maximum length of an object's source, in bytes of UTF-8."""
KEPT_S = 30 * 24 * 3600
"""How long jobs and their rows are kept. This is longer than a queue keeps a message (14 days), so
that no message arrives after its row is deleted."""


class JobState(StrEnum):
    """The states of a job: open → closed → done; an open or closed job can be cancelled."""

    OPEN = "open"
    """Photos can still be uploaded; each photo is processed as soon as it arrives."""
    CLOSED = "closed"
    """The job accepts no more photos."""
    DONE = "done"
    """Every photo of the job is done, failed or cancelled."""
    CANCELLED = "cancelled"
    """The client cancelled the job; workers finish only the photos that they were processing."""


class ObjectState(StrEnum):
    """The states of a photo of a job."""

    WAITING = "waiting"
    """The photo was received, and its processing has not ended."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        """Whether the photo is done, failed or cancelled."""
        return self is not ObjectState.WAITING


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCounts:
    """How many photos of a job are in each state, and the sum of their charges."""

    received: int = 0
    """The number of the job's photos that the store has counted. If the photos are in an S3
    bucket, this number can be too low until the job has ended."""
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    charged: Credits = ZERO

    @property
    def ended(self) -> int:
        """Return how many photos are done, failed or cancelled."""
        return self.done + self.failed + self.cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """The URL that receives the notification of a job's end, and the secret that signs it."""

    url: str
    secret: str = field(repr=False)
    """`whsec_` and 24 to 64 bytes in Base64, as in Standard Webhooks."""
    attempts: int = 0
    next_attempt_us: Instant | None = None
    """None if the job has not ended, or if no further attempt will be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A snapshot of one job."""

    job_id: str
    account_id: str
    key_digest: str
    """The SHA-256 of the key that created the job; the job's photos are charged to this key."""
    key_kind: KeyKind
    parameters: Mapping[str, str]
    """The form fields of `POST /v2/rembg/blur/` without the photo, as text."""
    created_us: Instant
    state: JobState = JobState.OPEN
    is_paused: bool = False
    """Whether the job waits, because the balance was below a photo's price; a top-up resumes it."""
    closed_us: Instant | None = None
    cancelled_us: Instant | None = None
    ended_us: Instant | None = None
    """When `end_job` ended the job. For a cancelled job, this is some time after the cancellation,
    because photos that a worker had already started to process are still finished and charged."""
    first_us: Instant | None = None
    """When a worker started to process the photo that was finished first."""
    last_us: Instant | None = None
    """When the work on the latest finished photo ended."""
    counts: JobCounts = JobCounts()
    notification: Notification | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the job is done or cancelled; no worker starts to process another photo."""
        return self.state in (JobState.DONE, JobState.CANCELLED)

    @property
    def shown_state(self) -> str:
        """The state as clients see it: `paused` while the job waits for credits."""
        return "paused" if self.is_paused and not self.has_ended else str(self.state)

    def seconds_left(self, now_us: Instant) -> float | None:
        """Estimate the seconds for the remaining photos from the rate so far; None if unknown."""
        ended, left = self.counts.ended, self.counts.received - self.counts.ended
        if self.has_ended or self.is_paused or self.first_us is None or not ended:
            return None
        elapsed_us = max(0, now_us - self.first_us)  # below 0 if the clock was set back
        return max(0, left) * elapsed_us / ended / SECOND_US


@dataclass(frozen=True, slots=True, kw_only=True)
class JobObject:
    """The row (the record) of one photo of a job in the store."""

    job_id: str
    source: str
    """The name that the client gave to the photo, such as the photo's path in a folder."""
    state: ObjectState
    charged: Credits = ZERO
    code: str | None = None
    """The code of the error, if the photo failed."""
    message: str | None = None
    content_type: str | None = None
    """The media type of the result, if there is one."""
    duration_ms: int = 0
    pixels: int = 0
    """The number of pixels of the photo, which is added to the usage of the key."""
    at_us: Instant | None = None
    """When the work on the photo ended; the store sets this time."""
    attempts: int = 0
    """How often a worker has started to process the photo. Only the SQLite store counts attempts;
    with SQS, the message contains the number."""

    @property
    def object_id(self) -> str:
        """The id of the object in paths, holds and storage."""
        return object_id(self.source)


def object_id(source: str) -> str:
    """Return the id for a source: 32 hexadecimal digits, which contain no text from the client."""
    return hashlib.sha256(source.encode()).hexdigest()[:32]


def hold_id(job_id: str, source: str) -> str:
    """Return the id of the hold for an object's price; an object has at most one hold at a time.

    The id has only 80 bits, because an account's item in DynamoDB contains the hold ids of all
    objects that are being processed. The probability that two of 50,000 holds have the same id is
    below 1 in 10**14.
    """
    return hashlib.sha256(f"{job_id}\n{source}".encode()).hexdigest()[:20]

"""A store of jobs in memory with the rules of `JobStore`; most methods can raise an error."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from blur.account_status import AccountStatus, RateLimit, RateLimitStatus
from blur.credits import ZERO, Credits, whole
from blur.errors import InsufficientCreditsError, InvalidApiKeyError
from blur.job_errors import JobNotFoundError
from blur.jobs.model import Job, JobCounts, JobObject, JobState, ObjectState, object_id
from blur.jobs.ports import ObjectPage

if TYPE_CHECKING:
    from blur.accounts.model import Hold, Instant

FREE = RateLimitStatus(RateLimit(60, 10), 10, 0)


@dataclass
class FakeJobStore:
    """A store with jobs, rows of photos, and the balance of one account."""

    balance: Credits = field(default_factory=lambda: whole(10))
    jobs: dict[str, Job] = field(default_factory=dict)
    rows: dict[str, dict[str, JobObject]] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    announced: set[str] = field(default_factory=set)
    is_key_valid: bool = True
    before: Callable[[str], None] = lambda _: None
    """Most methods first call this function with their own name; it can raise an error."""

    def create_job(self, job: Job) -> None:
        self.before("create_job")
        self.jobs.setdefault(job.job_id, job)
        self.rows.setdefault(job.job_id, {})

    def find_job(self, job_id: str) -> Job:
        self.before("find_job")
        if job_id not in self.jobs:
            raise JobNotFoundError
        return self.jobs[job_id]

    def close_job(self, job_id: str, *, now_us: Instant) -> Job:
        job = self.find_job(job_id)
        if job.state is JobState.OPEN:
            self.jobs[job_id] = replace(job, state=JobState.CLOSED, closed_us=now_us)
        return self.jobs[job_id]

    def cancel_job(self, job_id: str, *, now_us: Instant) -> Job:
        job = self.find_job(job_id)
        if not job.has_ended:
            self.jobs[job_id] = replace(job, state=JobState.CANCELLED, cancelled_us=now_us)
        return self.jobs[job_id]

    def set_paused(self, job_id: str, *, is_paused: bool) -> None:
        self.before("set_paused")
        self.jobs[job_id] = replace(self.jobs[job_id], is_paused=is_paused)

    def reserve_object(self, hold: Hold, *, now_us: Instant) -> None:  # noqa: ARG002 - `JobStore` has this argument
        self.before("reserve_object")
        if not self.is_key_valid:
            raise InvalidApiKeyError
        if hold.hold_id in self.holds:
            return
        if self.balance < hold.price:
            raise InsufficientCreditsError(hold.price, AccountStatus(ZERO, self.balance, FREE))
        self.balance = Credits(self.balance - hold.price)
        self.holds[hold.hold_id] = hold

    def end_object(self, row: JobObject, hold: Hold | None, *, now_us: Instant) -> bool:
        self.before("end_object")
        job, rows = self.jobs[row.job_id], self.rows[row.job_id]
        known = rows.get(row.object_id)
        counts = job.ended_us is None and not (known and known.state.has_ended)
        taken = self.holds.pop(hold.hold_id, None) if hold else None
        is_done = counts and row.state is ObjectState.DONE
        charged = taken.price if taken and is_done else ZERO
        if taken:
            self.balance = Credits(self.balance + taken.price - charged)
        if counts:
            rows[row.object_id] = replace(row, charged=charged, at_us=now_us)
            self._count(job, now_us)
        return counts

    def park_object(self, job_id: str, source: str, *, now_us: Instant) -> bool:  # noqa: ARG002 - `JobStore` has this argument
        self.before("park_object")
        known = self.rows[job_id].get(object_id(source))
        if self.jobs[job_id].ended_us is not None or (known and known.state.has_ended):
            return False
        row = JobObject(job_id=job_id, source=source, state=ObjectState.WAITING)
        self.rows[job_id][row.object_id] = row
        self._count(self.jobs[job_id], None)
        return True

    def find_object(self, job_id: str, object_id: str) -> JobObject | None:
        self.before("find_object")
        return self.rows[job_id].get(object_id)

    def list_objects(
        self,
        job_id: str,
        *,
        states: Collection[ObjectState],
        after: str | None = None,
        limit: int,
    ) -> ObjectPage:
        self.before("list_objects")
        found = sorted(
            (row for row in self.rows[job_id].values() if row.state in states),
            key=lambda row: row.object_id,
        )
        rest = [row for row in found if row.object_id > (after or "")]
        page = tuple(rest[:limit])
        return ObjectPage(page, page[-1].object_id if len(rest) > limit else None)

    def list_active(self) -> Iterator[Job]:
        self.before("list_active")
        yield from [job for name, job in self.jobs.items() if name not in self.announced]

    def count_active(self, account_id: str, *, most: int) -> int:
        self.before("count_active")
        return min(most, sum(job.account_id == account_id for job in self.list_active()))

    def end_job(self, job_id: str, *, received: int, now_us: Instant) -> bool:
        self.before("end_job")
        job, rows = self.jobs[job_id], self.rows[job_id]
        if job.state is JobState.OPEN or job.ended_us is not None:
            return job.ended_us is not None
        received = max(received, len(rows))
        job = replace(job, counts=replace(job.counts, received=received))
        if job.counts.ended == received:
            state = JobState.DONE if job.state is JobState.CLOSED else job.state
            notification = job.notification and replace(job.notification, next_attempt_us=now_us)
            job = replace(job, state=state, ended_us=now_us, notification=notification)
        self.jobs[job_id] = job
        return job.ended_us is not None

    def record_notification_attempt(self, job_id: str, *, next_attempt_us: Instant | None) -> None:
        self.before("record_notification_attempt")
        job = self.jobs[job_id]
        if job.notification:
            notification = replace(
                job.notification,
                attempts=job.notification.attempts + 1,
                next_attempt_us=next_attempt_us,
            )
            self.jobs[job_id] = replace(job, notification=notification)
        if next_attempt_us is None:
            self.announced.add(job_id)

    def close(self) -> None:
        """Do nothing: this store has no connection to close."""

    def _count(self, job: Job, ended_us: Instant | None) -> None:
        rows = list(self.rows[job.job_id].values())
        by_state = {
            state: sum(row.state is state for row in rows)
            for state in (ObjectState.DONE, ObjectState.FAILED, ObjectState.CANCELLED)
        }
        counts = JobCounts(
            received=max(job.counts.received, len(rows)),
            **{str(state): count for state, count in by_state.items()},
            charged=Credits(sum(row.charged for row in rows)),
        )
        last_us = ended_us or job.last_us
        self.jobs[job.job_id] = replace(
            job, counts=counts, last_us=last_us, first_us=job.first_us or last_us
        )

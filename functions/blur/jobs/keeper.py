"""The keeper: resumes paused jobs, closes and ends jobs, and announces ended jobs.

A keeper runs at short intervals, and keeps no state from one run to the next. Each action can be
repeated, so the keeper can be killed at any point, and two keepers can run at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

from blur.accounts.model import SECOND_US, Instant
from blur.jobs.announcer import Announcer, until_unavailable
from blur.jobs.model import Job, JobObject, JobState, ObjectState
from blur.jobs.photos import compare_photos, waiting_sources

if TYPE_CHECKING:
    from blur.jobs.ports import JobFiles, JobStore

DAY_S = 86_400
"""After each day without progress, the waiting objects of a job are delivered again. The queue can
still contain them, if it is full of other jobs' objects; a second delivery is harmless."""
OPEN_DAYS = 7
"""After this number of days, an open job is closed, because the storage then deletes the job's
first photos."""
EMPTY_DAYS = 1
"""After this number of days, an open job without photos is closed. Clients sometimes forget
such jobs."""
MAX_CANCELLED = 5_000
"""The maximum number of photos that one run cancels. There is a limit, because each photo needs a
write, while all other jobs wait."""

EXTRA_DELIVERIES = 100
"""When a job is resumed, this many more photos are delivered to workers than its account can pay
for, because some photos fail and cost nothing. The number is small, because each photo that the
account cannot pay for is parked again, which costs a message and a write."""

Enqueue = Callable[[str, Iterable[str]], None]
"""Deliver photos to the workers again; the arguments are the job's id and the photos' sources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKeeper:
    """Resumes, closes and ends jobs, announces their end, and delivers lost photos again."""

    jobs: JobStore
    files: JobFiles
    payable: Callable[[Job], int | None]
    """Return the number of photos that the account can pay for. Return None if no photo will be
    charged: for example, a test key is never charged, and with a key that is not valid all photos
    fail."""
    enqueue: Enqueue
    announce: Callable[[Job], None]
    """Announce to the operator's systems that a job has ended."""
    notify: Callable[[Job], bool]
    """Send the notification of a job that has ended; return whether the client accepted it."""
    clock: Callable[[], Instant]
    period_s: int
    """The keeper runs once in this many seconds."""
    retry_s: int
    """If a job makes no progress for this time, its waiting objects are delivered again. This time
    is longer than the queue needs to deliver an object again."""
    max_attempt_s: int
    """The longest time that a worker can work on an object."""
    max_run_s: int
    """After this time, a run of the keeper handles no further job. The stores list jobs in random
    order, so that later runs reach the remaining jobs."""
    is_idle: Callable[[], bool] = lambda: True
    """Return whether the queue is empty. If the queue is empty and a job makes no progress, the
    queue has lost the job's waiting objects."""
    on_error: Callable[[Exception], None] = lambda _: None

    def run(self) -> None:
        """Do the next action for each job; the failure of one job does not affect the other jobs.

        Raises:
            UnavailableError: the jobs cannot be listed.

        """
        ended = []
        allowance = iter(range(MAX_CANCELLED))
        until_us = self.clock() + self.max_run_s * SECOND_US
        try:
            for job in self.jobs.list_active():
                if last := self._guarded(job, allowance):
                    ended.append(last)
                if self.clock() >= until_us:
                    break
        finally:
            self._announce(ended)

    def _announce(self, ended: Iterable[Job]) -> None:
        Announcer(
            jobs=self.jobs,
            announce=until_unavailable(self.announce),
            notify=self.notify,
            clock=self.clock,
            on_error=self.on_error,
        ).run(ended)

    def _guarded(self, job: Job, allowance: Iterator[object]) -> Job | None:
        try:
            return self._keep(job, allowance)
        except Exception as error:  # noqa: BLE001 - the next run tries again
            self.on_error(error)
            return None

    def _keep(self, job: Job, allowance: Iterator[object]) -> Job | None:
        """Do the next action for a job; return the job if it has ended.

        `allowance` has one item for each photo that this run can still cancel.
        """
        if job.ended_us is not None:
            return job
        has_ended = False
        if job.state is JobState.CANCELLED:
            has_ended = self._clean_up(job, allowance)
        elif job.is_paused:
            self._resume(job)
        elif job.state is JobState.OPEN:
            self._keep_open(job)
        else:
            has_ended = self._complete(job)
        return self.jobs.find_job(job.job_id) if has_ended else None

    def _keep_open(self, job: Job) -> None:
        """Close a job that its client has left open, or deliver the job's lost objects again.

        If a keeper was killed while it resumed the job, the queue can lack objects whose rows are
        waiting.
        """
        days = OPEN_DAYS if job.counts.received else EMPTY_DAYS
        if self.clock() >= job.created_us + days * DAY_S * SECOND_US:
            self.jobs.close_job(job.job_id, now_us=self.clock())
        elif job.counts.received > job.counts.ended:
            progress_us = job.last_us or job.created_us
            if self._is_stuck(progress_us):
                waiting = list(waiting_sources(self.jobs, job.job_id))
                self._deliver_again(job, waiting, [], progress_us)

    def _complete(self, job: Job) -> bool:
        """End a closed job if no photo is left; otherwise deliver the photos that the queue lost.

        The photos are listed in three cases: the job has just been closed, all known photos are
        done, have failed or are cancelled, or the job has made no progress for some time. Return
        whether the job has ended.
        """
        closed_us = job.closed_us or job.created_us
        is_new = self.clock() < closed_us + 2 * self.period_s * SECOND_US
        progress_us = max(closed_us, job.last_us or closed_us)
        is_stuck = self._is_stuck(progress_us)
        if not (is_new or is_stuck or job.counts.ended >= job.counts.received):
            return False
        photos = compare_photos(self.jobs, self.files, job.job_id)
        has_ended = self._end(job, received=photos.number)
        if is_stuck and not has_ended:
            self._deliver_again(job, photos.waiting, photos.unknown, progress_us)
        return has_ended

    def _clean_up(self, job: Job, allowance: Iterator[object]) -> bool:
        """Cancel a cancelled job's remaining photos, if no worker can still be processing them.

        Return whether the job has ended. If `allowance` ends before all photos are cancelled, the
        next run continues.
        """
        elapsed_us = self.clock() - (job.cancelled_us or job.created_us)
        if abs(elapsed_us) < self.max_attempt_s * SECOND_US:  # below 0 if the clock was set back
            return False
        photos = compare_photos(self.jobs, self.files, job.job_id)
        left = chain(photos.waiting, photos.unknown)
        for source, _ in zip(left, allowance, strict=False):
            row = JobObject(job_id=job.job_id, source=source, state=ObjectState.CANCELLED)
            self.jobs.end_object(row, None, now_us=self.clock())
        return self._end(job, received=photos.number)

    def _end(self, job: Job, *, received: int) -> bool:
        """Store `received`, end the job if possible, and return whether the job has ended."""
        return self.jobs.end_job(job.job_id, received=received, now_us=self.clock())

    def _resume(self, job: Job) -> None:
        """Resume a paused job if the account can pay for at least one photo.

        If the account cannot pay for all photos, only some are delivered to workers. Otherwise the
        other photos would be delivered and parked again each time that a photo failed and was
        refunded. If the photos cannot be delivered, the job is paused again, so that the next run
        repeats this action.
        """
        payable = self.payable(job)
        if payable == 0:
            return
        self.jobs.set_paused(job.job_id, is_paused=False)
        try:
            waiting = islice(waiting_sources(self.jobs, job.job_id), with_extra(payable))
            if sources := list(waiting):
                self.enqueue(job.job_id, sources)
        except Exception:
            self.jobs.set_paused(job.job_id, is_paused=True)
            raise

    def _deliver_again(
        self, job: Job, waiting: list[str], unknown: list[str], progress_us: Instant
    ) -> None:
        """Deliver the objects of a job that makes no progress, if the queue has lost them.

        If there are more waiting objects than the account can pay for, only some of them were
        delivered when the job was resumed, so this method delivers more.
        """
        are_lost = self.is_idle() or self._is_due(progress_us, DAY_S)
        most = with_extra(self.payable(job))
        are_left = most is not None and len(waiting) > most
        lost = waiting[:most] if are_lost or are_left else []
        lost += unknown if are_lost else []
        if lost:
            self.enqueue(job.job_id, lost)

    def _is_stuck(self, progress_us: Instant) -> bool:
        return self._is_due(progress_us, self.retry_s) or self._is_due(progress_us, DAY_S)

    def _is_due(self, progress_us: Instant, every_s: int) -> bool:
        """Return whether the time without progress has just reached a multiple of `every_s`."""
        elapsed_us, every_us = self.clock() - progress_us, every_s * SECOND_US
        return elapsed_us >= every_us and elapsed_us % every_us < self.period_s * SECOND_US


def with_extra(payable: int | None) -> int | None:
    """Return the maximum number of waiting objects to deliver; None sets no limit."""
    return None if payable is None else payable + EXTRA_DELIVERIES

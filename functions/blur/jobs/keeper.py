"""Keep jobs going: resume paused ones, complete closed ones, and announce those that have ended.

A keeper runs at short intervals and stores nothing itself. Each step can be repeated, so it can be
killed at any point, and two keepers at the same time do no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blur.accounts.model import SECOND_US, Instant
from blur.jobs.announcer import Announcer
from blur.jobs.model import Job, JobObject, JobState, ObjectState, object_id

if TYPE_CHECKING:
    from blur.jobs.ports import JobFiles, JobStore

PAGE = 1_000
DAY_US = 86_400 * SECOND_US
OPEN_DAYS = 7
"""After this time, an open job is closed, because its first photos are no longer kept."""
EMPTY_DAYS = 1
"""The same for a job without photos, so that the number of forgotten jobs does not grow."""

Enqueue = Callable[[str, Iterable[str]], None]
"""Deliver the sources of a job to the workers again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKeeper:
    """One step of all jobs that have not ended, or have not been announced."""

    jobs: JobStore
    files: JobFiles
    can_pay: Callable[[Job], bool]
    """Return whether a paused job can go on: the account can pay for a photo, or its key is no
    longer valid, so that the photos fail."""
    enqueue: Enqueue
    announce: Callable[[Job], None]
    """Announce a job that has ended to the operator's systems."""
    notify: Callable[[Job], bool]
    """Send the notification of a job that has ended; return whether it was accepted."""
    clock: Callable[[], Instant]
    period_s: int
    """The interval between two runs."""
    retry_s: int
    """After this time without an ended object, objects of a job are delivered again. It is longer
    than the queue needs to deliver an object again."""
    worker_s: int
    """The longest time that a worker can have for an object."""
    is_idle: Callable[[], bool] = lambda: True
    """Return whether the queue is empty. Objects of a job without progress are lost only if it is.
    """
    on_error: Callable[[Exception], None] = lambda _: None

    def run(self) -> None:
        """Take the next step of each job; a failure leaves the other jobs unaffected.

        Raises:
            UnavailableError: the jobs cannot be listed.

        """
        ended = []
        for job in self.jobs.list_active():
            try:
                if last := self._keep(job):
                    ended.append(last)
            except Exception as error:  # noqa: BLE001 - the next run tries again
                self.on_error(error)
        Announcer(
            jobs=self.jobs,
            announce=self.announce,
            notify=self.notify,
            clock=self.clock,
            on_error=self.on_error,
        ).run(ended)

    def _keep(self, job: Job) -> Job | None:
        """Take the next step of a job; return it if it has ended."""
        if job.ended_us is not None:
            return job
        if job.is_paused and not job.has_ended:
            self._resume(job)
            return None
        is_done = STEPS[job.state](self, job)
        return self.jobs.find_job(job.job_id) if is_done else None

    def keep_open(self, job: Job) -> bool:
        """Close a job that its client has left open, or deliver its lost objects again.

        An object with a waiting row is lost if a keeper was killed while it resumed the job. Return
        False, because the job has not ended.
        """
        days = OPEN_DAYS if job.counts.received else EMPTY_DAYS
        if self.clock() >= job.created_us + days * DAY_US:
            self.jobs.close_job(job.job_id, now_us=self.clock())
        elif self._is_due(job.last_us or job.created_us) and self.is_idle():
            self._deliver_waiting(job)
        return False

    def complete(self, job: Job) -> bool:
        """End a closed job if all its objects have ended; otherwise deliver lost objects again.

        The photos are listed in three cases: the job has just been closed, all known objects have
        ended, or no object has ended for some time.
        """
        closed_us = job.closed_us or job.created_us
        is_new = self.clock() < closed_us + 2 * self.period_s * SECOND_US
        is_stuck = self._is_due(max(closed_us, job.last_us or closed_us))
        if is_new or is_stuck or job.counts.ended >= job.counts.received:
            return self._compare(job, deliver=is_stuck and self.is_idle())
        return False

    def clean_up(self, job: Job) -> bool:
        """End a cancelled job, once its running objects have ended."""
        cancelled_us = job.cancelled_us or job.created_us
        if self.clock() < cancelled_us + self.worker_s * SECOND_US:
            return False
        rows = dict(self._states(job))
        for source in self._sources(job):
            if not rows.get(object_id(source), ObjectState.WAITING).has_ended:
                row = JobObject(job_id=job.job_id, source=source, state=ObjectState.CANCELLED)
                self.jobs.end_object(row, None, now_us=self.clock())
                rows[row.object_id] = row.state
        return self._end(job, received=len(rows))

    def _compare(self, job: Job, *, deliver: bool) -> bool:
        """Compare the photos in the storage with the rows; return whether the job has ended."""
        rows = dict(self._states(job))
        left = [
            source
            for source in self._sources(job)
            if not rows.get(object_id(source), ObjectState.WAITING).has_ended
        ]
        received = len(rows.keys() | {object_id(source) for source in left})
        is_done = self._end(job, received=received)
        if deliver and left and not is_done:
            self.enqueue(job.job_id, left)
        return is_done

    def _end(self, job: Job, *, received: int) -> bool:
        """Set the number of objects, and end the job if all have ended; return whether it has."""
        return self.jobs.end_job(job.job_id, received=received, now_us=self.clock())

    def _resume(self, job: Job) -> None:
        """Let a paused job go on if the account can pay for a photo.

        If its objects cannot be delivered, the job is paused again, so that the next run repeats
        this step.
        """
        if not self.can_pay(job):
            return
        self.jobs.set_paused(job.job_id, is_paused=False)
        try:
            self._deliver_waiting(job)
        except Exception:
            self.jobs.set_paused(job.job_id, is_paused=True)
            raise

    def _deliver_waiting(self, job: Job) -> None:
        waiting = list(self._waiting(job))
        if waiting:
            self.enqueue(job.job_id, waiting)

    def _is_due(self, progress_us: Instant) -> bool:
        """Return whether a multiple of the retry time has passed since the last progress."""
        elapsed_us, retry_us = self.clock() - progress_us, self.retry_s * SECOND_US
        return elapsed_us >= retry_us and elapsed_us % retry_us < self.period_s * SECOND_US

    def _states(self, job: Job) -> Iterator[tuple[str, ObjectState]]:
        """Yield the object id and the state of each row."""
        for row in self._rows(job, tuple(ObjectState)):
            yield row.object_id, row.state

    def _waiting(self, job: Job) -> Iterator[str]:
        """Yield the sources of the waiting rows."""
        for row in self._rows(job, (ObjectState.WAITING,)):
            yield row.source

    def _rows(self, job: Job, states: tuple[ObjectState, ...]) -> Iterator[JobObject]:
        after: str | None = None
        while True:
            page = self.jobs.list_objects(job.job_id, states=states, after=after, limit=PAGE)
            yield from page.objects
            after = page.after
            if after is None:
                return

    def _sources(self, job: Job) -> Iterator[str]:
        """Yield each source of the job: of the photos in the storage, and of waiting rows."""
        seen = set()
        for source in self.files.list_sources(job.job_id):
            seen.add(object_id(source))
            yield source
        for source in self._waiting(job):
            if object_id(source) not in seen:
                yield source


STEPS: Mapping[JobState, Callable[[JobKeeper, Job], bool]] = {
    JobState.OPEN: JobKeeper.keep_open,
    JobState.CLOSED: JobKeeper.complete,
    JobState.CANCELLED: JobKeeper.clean_up,
}
"""The step for each state of a job that has not ended; it returns whether it has ended the job."""

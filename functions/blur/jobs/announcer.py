"""Announces the end of jobs: to the operator's systems, and in notifications to clients' URLs.

A client's server can be slow on purpose. So notifications are sent last, in parallel, and only a
few for each account in each run. `notify` signs and sends each notification.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blur.accounts.model import SECOND_US, Instant
from blur.errors import UnavailableError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from blur.jobs.model import Job, Notification
    from blur.jobs.ports import JobStore

BACKOFF_S = (60, 300, 1_800, 7_200, 28_800, 86_400)
"""The seconds between the seven attempts to send a notification."""
THREADS = 16
MAX_OF_AN_ACCOUNT = 4
"""The maximum number of notifications for one account in one run of the keeper."""
MAX_NOTIFICATIONS = 2 * THREADS
"""The maximum number of notifications in one run of the keeper. All of them together take at most
twice the time limit of one notification."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcer:
    """Announces that jobs have ended; after an error, the next run can announce a job again."""

    jobs: JobStore
    announce: Callable[[Job], None]
    """Announce to the operator's systems that a job has ended."""
    notify: Callable[[Job], bool]
    """Send the notification of a job that has ended; return whether the client accepted it."""
    clock: Callable[[], Instant]
    on_error: Callable[[Exception], None]

    def run(self, ended: Iterable[Job]) -> None:
        """Announce ended jobs without a `notify` URL, and send the notifications that are due."""
        notified = []
        for job in ended:
            if job.notification is None:
                self._guarded(self._announce_silent, job)
            elif self._is_due(job.notification):
                notified.append(job)
        with ThreadPoolExecutor(THREADS, thread_name_prefix="notify") as executor:
            first = [job for job in few_of_each(notified) if self._is_announced(job)]
            sent = [(job, executor.submit(self.notify, job)) for job in first]
            for job, is_accepted in sent:
                self._guarded(self._record, job, is_accepted)

    def _announce_silent(self, job: Job) -> None:
        """Announce the end of a job without a `notify` URL."""
        self.announce(job)
        self.jobs.record_notification_attempt(job.job_id, next_attempt_us=None)

    def _is_announced(self, job: Job) -> bool:
        """Announce a job's end to the operator before the first notification to the client.

        Return False if the announcement fails; the notification then waits for the next run.
        """
        if job.notification is None or job.notification.attempts:
            return True
        try:
            self.announce(job)
        except Exception as error:  # noqa: BLE001 - the next run tries again
            self.on_error(error)
            return False
        return True

    def _record(self, job: Job, is_accepted: Future[bool]) -> None:
        """Wait for the end of an attempt; record the attempt and the time of the next attempt."""
        attempts = job.notification.attempts if job.notification else 0
        next_us = None
        if not self._result(is_accepted) and attempts < len(BACKOFF_S):
            next_us = Instant(self.clock() + BACKOFF_S[attempts] * SECOND_US)
        self.jobs.record_notification_attempt(job.job_id, next_attempt_us=next_us)

    def _result(self, is_accepted: Future[bool]) -> bool:
        try:
            return is_accepted.result()
        except Exception as error:  # noqa: BLE001 - any error is a failed attempt
            self.on_error(error)
            return False

    def _is_due(self, target: Notification) -> bool:
        if target.next_attempt_us is None:
            return False
        wait_us = target.next_attempt_us - self.clock()
        # A wait that is longer than the longest interval shows that the clock was set back.
        return wait_us <= 0 or wait_us > BACKOFF_S[-1] * SECOND_US

    def _guarded(self, step: Callable[..., None], *arguments: object) -> None:
        """Call `step`, and report any error; the next run repeats a failed step."""
        try:
            step(*arguments)
        except Exception as error:  # noqa: BLE001 - an error of one job must not stop all other jobs
            self.on_error(error)


def few_of_each(jobs: Iterable[Job]) -> Iterator[Job]:
    """Yield up to `MAX_NOTIFICATIONS` jobs, a few for each account, the most overdue first."""
    chosen: Counter[str] = Counter()
    for job in sorted(jobs, key=_due_us):
        if chosen[job.account_id] < MAX_OF_AN_ACCOUNT and chosen.total() < MAX_NOTIFICATIONS:
            chosen[job.account_id] += 1
            yield job


def _due_us(job: Job) -> int:
    return job.notification.next_attempt_us or 0 if job.notification else 0


def until_unavailable(announce: Callable[[Job], None]) -> Callable[[Job], None]:
    """Return a function that calls `announce` until a call raises `UnavailableError`.

    After that, the function raises the same error and does not call `announce`. Otherwise each
    failing call could last until the time limit of a request, and a run can have many jobs to
    announce.
    """
    failure: UnavailableError | None = None

    def announce_if_available(job: Job) -> None:
        nonlocal failure
        if failure is not None:
            raise failure
        try:
            announce(job)
        except UnavailableError as error:
            failure = error
            raise

    return announce_if_available

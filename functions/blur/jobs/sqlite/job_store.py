"""The store of jobs in SQLite: `JobStore` and the queue of waiting objects."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from blur.accounts.hold_states import HoldEvent, HoldState
from blur.accounts.model import SECOND_US, Instant, KeyCounts
from blur.accounts.sqlite import authorization, holds
from blur.accounts.sqlite.file import AccountsFile
from blur.credits import ZERO, Credits
from blur.jobs.model import Job, JobObject, ObjectState, object_id
from blur.jobs.sqlite import job_rows, object_rows

if TYPE_CHECKING:
    from pathlib import Path

    from blur.accounts.model import Hold
    from blur.jobs.ports import ObjectPage

CLEANUP_ROWS_PER_JOB, CLEANUP_ROWS_PER_PHOTO = 1_000, 2
"""How many rows of expired jobs are deleted when a job is added, and when a row is added."""


class SqliteJobStore:
    """`JobStore` in the SQLite file of the accounts, usable from many threads and processes.

    The objects' rows are also the queue of the embedded server: a row is added when a photo's
    upload is complete, and a worker claims the row for some time. Each change is one transaction,
    as in `SqliteAccountStore`.
    """

    def __init__(self, path: Path) -> None:
        """Keep the path of the database file."""
        self._file = AccountsFile(path)

    def create_job(self, job: Job) -> None:
        """See `JobStore.create_job`."""
        with self._file.transaction() as db:
            job_rows.delete_expired(db, job.created_us, rows=CLEANUP_ROWS_PER_JOB)
            job_rows.create(db, job)

    def find_job(self, job_id: str) -> Job:
        """See `JobStore.find_job`."""
        with self._file.snapshot() as db:
            return job_rows.require(db, job_id)

    def close_job(self, job_id: str, *, now_us: Instant) -> Job:
        """See `JobStore.close_job`."""
        with self._file.transaction() as db:
            return job_rows.close(db, job_id, now_us)

    def cancel_job(self, job_id: str, *, now_us: Instant) -> Job:
        """See `JobStore.cancel_job`."""
        with self._file.transaction() as db:
            return job_rows.cancel(db, job_id, now_us)

    def set_paused(self, job_id: str, *, is_paused: bool) -> None:
        """See `JobStore.set_paused`."""
        with self._file.transaction() as db:
            job_rows.set_paused(db, job_id, is_paused=is_paused)

    def reserve_object(self, hold: Hold, *, now_us: Instant) -> None:
        """See `JobStore.reserve_object`."""
        with self._file.transaction() as db:
            authorization.reserve_uncounted(db, hold, now_us)

    def end_object(self, row: JobObject, hold: Hold | None, *, now_us: Instant) -> bool:
        """See `JobStore.end_object`."""
        with self._file.transaction() as db:
            has_changed = _can_change(db, row.job_id, row.object_id)
            if has_changed:
                charged = _end_hold(db, row, hold, now_us) if hold else ZERO
                _require_row(db, row.job_id, row.source, now_us)
                final = replace(row, charged=charged, at_us=now_us)
                object_rows.write_final(db, final)
                job_rows.count_ended(db, final, now_us)
            elif hold:
                _end_hold(db, replace(row, state=ObjectState.CANCELLED), hold, now_us)
            return has_changed

    def park_object(self, job_id: str, source: str, *, now_us: Instant) -> bool:
        """See `JobStore.park_object`."""
        with self._file.transaction() as db:
            if not _can_change(db, job_id, object_id(source)):
                return False
            _require_row(db, job_id, source, now_us)
            object_rows.park(db, job_id, object_id(source))
            return True

    def find_object(self, job_id: str, object_id: str) -> JobObject | None:
        """See `JobStore.find_object`."""
        with self._file.snapshot() as db:
            return object_rows.find(db, job_id, object_id)

    def list_objects(
        self,
        job_id: str,
        *,
        states: Collection[ObjectState],
        after: str | None = None,
        limit: int,
    ) -> ObjectPage:
        """See `JobStore.list_objects`."""
        with self._file.snapshot() as db:
            return object_rows.page(db, job_id, states, after, limit)

    def list_active(self) -> Iterator[Job]:
        """See `JobStore.list_active`."""
        with self._file.snapshot() as db:
            active = job_rows.list_active(db)
        yield from active

    def count_active(self, account_id: str, *, most: int) -> int:
        """See `JobStore.count_active`."""
        with self._file.snapshot() as db:
            return job_rows.count_active(db, account_id, most)

    def end_job(self, job_id: str, *, received: int, now_us: Instant) -> bool:
        """See `JobStore.end_job`."""
        with self._file.transaction() as db:
            return job_rows.end(db, job_id, received, now_us)

    def record_notification_attempt(self, job_id: str, *, next_attempt_us: Instant | None) -> None:
        """See `JobStore.record_notification_attempt`."""
        with self._file.transaction() as db:
            job_rows.record_notification_attempt(db, job_id, next_attempt_us)

    def add_object(self, job_id: str, source: str, *, now_us: Instant) -> bool:
        """Add a waiting object whose photo is stored.

        Returns False, without a change, if the object has a row already, or if the job is
        cancelled, done or unknown.
        """
        with self._file.transaction() as db:
            job_rows.delete_expired(db, now_us, rows=CLEANUP_ROWS_PER_PHOTO)
            job = job_rows.find(db, job_id)
            known = object_rows.find(db, job_id, object_id(source))
            if job is None or job.has_ended or known:
                return False
            _require_row(db, job_id, source, now_us)
            return True

    def claim_object(self, *, now_us: Instant, lease_s: float) -> JobObject | None:
        """Lease the next waiting object to a worker, and count the attempt.

        The next object belongs to the account that has waited longest since its last claim, and to
        the oldest job of this account. Objects of paused and ended jobs are not claimed. Returns
        None if no object can start now.
        """
        with self._file.transaction() as db:
            return object_rows.claim(db, now_us, Instant(now_us + round(lease_s * SECOND_US)))

    def release_object(self, claimed: JobObject, *, retry_us: Instant) -> None:
        """End the lease of a failed attempt; the object can be claimed again at `retry_us`.

        This has no effect if the object has ended, or if another worker has claimed it.
        """
        with self._file.transaction() as db:
            object_rows.release(db, claimed, retry_us)

    def count_waiting(self) -> int:
        """Return the number of objects that have not ended, in jobs that are being processed."""
        with self._file.snapshot() as db:
            return object_rows.count_waiting(db)

    def close(self) -> None:
        """Close the database file."""
        self._file.close()


def _can_change(db: sqlite3.Connection, job_id: str, object_id: str) -> bool:
    """Return whether the job has not ended, and the object is not done, failed or cancelled."""
    job, row = job_rows.find(db, job_id), object_rows.find(db, job_id, object_id)
    return job is not None and job.ended_us is None and not (row and row.state.has_ended)


def _require_row(db: sqlite3.Connection, job_id: str, source: str, now_us: Instant) -> None:
    """Insert and count a waiting row, unless the object has a row."""
    if object_rows.find(db, job_id, object_id(source)) is None:
        object_rows.add_waiting(db, job_id, source, now_us)
        job_rows.count_known(db, job_id)


def _end_hold(db: sqlite3.Connection, row: JobObject, hold: Hold, now_us: Instant) -> Credits:
    """Settle or refund the hold, depending on the row's state; return the charge."""
    is_done = row.state is ObjectState.DONE
    event = HoldEvent.SETTLE if is_done else HoldEvent.REFUND
    counts = KeyCounts(
        calls=int(is_done),
        credits=hold.price,  # not used: `holds.end` counts the stored price
        pixels=row.pixels if is_done else 0,
        failures=int(row.state is ObjectState.FAILED),
    )
    found = holds.find(db, hold.account_id, hold.hold_id)
    state = holds.end(db, hold, event, now_us, counts)
    return found[0].price if found and state is HoldState.SETTLED else ZERO

"""Read and write the rows of jobs in SQLite, in the transaction of the caller.

A job counts its objects: `known` is the number of the objects' rows, and `listed` the number of
photos that the keeper counted after the job was closed or cancelled.
"""

from __future__ import annotations

import json
import sqlite3

from blur.accounts.model import SECOND_US, Instant, KeyKind
from blur.job_errors import JobNotFoundError
from blur.jobs.model import KEPT_S, Job, JobCounts, JobObject, JobState, Notification, ObjectState

ACTIVE_AT_ONCE = 2_000
"""The maximum number of jobs that a keeper reads together. There is a limit because a client can
create more jobs than this in a day."""
_COUNTERS = {
    ObjectState.DONE: "done",
    ObjectState.FAILED: "failed",
    ObjectState.CANCELLED: "cancelled",
}
"""The column that counts the rows with each final state."""


def create(db: sqlite3.Connection, job: Job) -> None:
    """Insert the job, unless it exists."""
    notification = job.notification
    db.execute(
        """
        INSERT INTO jobs (job_id, account_id, key_digest, key_kind, parameters, created_us, state,
                          notify_url, notify_secret)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
        """,
        (
            job.job_id,
            job.account_id,
            job.key_digest,
            job.key_kind,
            json.dumps(dict(job.parameters)),
            job.created_us,
            job.state,
            notification.url if notification else None,
            notification.secret if notification else None,
        ),
    )


def delete_expired(db: sqlite3.Connection, now_us: Instant, *, rows: int) -> None:
    """Delete up to `rows` rows of an expired job, and the job itself when it has no rows left.

    Deleting a million rows together would block the database file for seconds. So each new job and
    each new row deletes only some expired rows.
    """
    expired = db.execute(
        "SELECT job_id FROM jobs WHERE created_us <= ? LIMIT 1", (now_us - KEPT_S * SECOND_US,)
    ).fetchone()
    if expired is None:
        return
    deleted = db.execute(
        """
        DELETE FROM job_objects WHERE job_id = :id AND object_id IN
               (SELECT object_id FROM job_objects WHERE job_id = :id LIMIT :rows)
        """,
        {"id": expired["job_id"], "rows": rows},
    )
    if deleted.rowcount < rows:
        db.execute("DELETE FROM jobs WHERE job_id = ?", (expired["job_id"],))


def find(db: sqlite3.Connection, job_id: str) -> Job | None:
    """Return the job, or None if it does not exist."""
    row = db.execute("SELECT * FROM jobs WHERE job_id = ?", (job_id,)).fetchone()
    return None if row is None else _job_of(row)


def require(db: sqlite3.Connection, job_id: str) -> Job:
    """Return the job.

    Raises:
        JobNotFoundError: the job does not exist or has expired.

    """
    job = find(db, job_id)
    if job is None:
        raise JobNotFoundError
    return job


def close(db: sqlite3.Connection, job_id: str, now_us: Instant) -> Job:
    """Close the job if it is open, and return the job."""
    db.execute(
        "UPDATE jobs SET state = ?, closed_us = ? WHERE job_id = ? AND state = ?",
        (JobState.CLOSED, now_us, job_id, JobState.OPEN),
    )
    return require(db, job_id)


def cancel(db: sqlite3.Connection, job_id: str, now_us: Instant) -> Job:
    """Cancel the job if it is open or closed, and return the job."""
    db.execute(
        "UPDATE jobs SET state = ?, cancelled_us = ? WHERE job_id = ? AND state IN (?, ?)",
        (JobState.CANCELLED, now_us, job_id, JobState.OPEN, JobState.CLOSED),
    )
    return require(db, job_id)


def set_paused(db: sqlite3.Connection, job_id: str, *, is_paused: bool) -> None:
    """Pause or resume an open or closed job."""
    db.execute(
        "UPDATE jobs SET paused = ? WHERE job_id = ? AND state IN (?, ?)",
        (is_paused, job_id, JobState.OPEN, JobState.CLOSED),
    )


def count_known(db: sqlite3.Connection, job_id: str) -> None:
    """Add 1 to the number of the job's rows."""
    db.execute("UPDATE jobs SET known = known + 1 WHERE job_id = ?", (job_id,))


def count_ended(db: sqlite3.Connection, row: JobObject, now_us: Instant) -> None:
    """Add a row that became final, and its charge, to the job's counts."""
    counter = _COUNTERS[row.state]
    db.execute(
        f"""
        UPDATE jobs SET {counter} = {counter} + 1,
                        quarters = quarters + :charged,
                        first_us = COALESCE(first_us, :started),
                        last_us = MAX(COALESCE(last_us, :now), :now)
        WHERE job_id = :id
        """,  # noqa: S608 - the inserted name is one of `_COUNTERS`
        {
            "charged": row.charged,
            "started": now_us - row.duration_ms * 1000,
            "now": now_us,
            "id": row.job_id,
        },
    )


def end(db: sqlite3.Connection, job_id: str, received: int, now_us: Instant) -> bool:
    """End a closed or cancelled job if all its photos have final rows; return whether it has ended.

    `received` is the number of the job's photos that the keeper has counted.
    """
    db.execute(
        "UPDATE jobs SET listed = ? WHERE job_id = ? AND ended_us IS NULL AND state IN (?, ?)",
        (received, job_id, JobState.CLOSED, JobState.CANCELLED),
    )
    db.execute(
        """
        UPDATE jobs SET state = CASE state WHEN :closed THEN :done ELSE state END,
                        ended_us = :now,
                        notify_next_us = CASE WHEN notify_url IS NOT NULL THEN :now END
        WHERE job_id = :id AND ended_us IS NULL AND state IN (:closed, :cancelled)
          AND done + failed + cancelled >= MAX(known, listed)
        """,
        {
            "closed": JobState.CLOSED,
            "done": JobState.DONE,
            "cancelled": JobState.CANCELLED,
            "now": now_us,
            "id": job_id,
        },
    )
    job = find(db, job_id)
    return job is not None and job.ended_us is not None


def record_notification_attempt(
    db: sqlite3.Connection, job_id: str, next_attempt_us: Instant | None
) -> None:
    """Count an attempt to announce an ended job.

    If no further attempt follows, the job is no longer active.
    """
    db.execute(
        """
        UPDATE jobs SET notify_attempts = notify_attempts + 1, notify_next_us = :next,
                        active = :next IS NOT NULL
        WHERE job_id = :id AND ended_us IS NOT NULL
        """,
        {"next": next_attempt_us, "id": job_id},
    )


def list_active(db: sqlite3.Connection) -> list[Job]:
    """Return up to `ACTIVE_AT_ONCE` active jobs in random order."""
    rows = db.execute(
        """
        SELECT * FROM jobs
        WHERE job_id IN (SELECT job_id FROM jobs WHERE active ORDER BY random() LIMIT ?)
        ORDER BY random()
        """,
        (ACTIVE_AT_ONCE,),
    )
    return [_job_of(row) for row in rows]


def count_active(db: sqlite3.Connection, account_id: str, most: int) -> int:
    """Return the number of active jobs of an account; stop counting at `most`."""
    (count,) = db.execute(
        "SELECT COUNT(*) FROM (SELECT 1 FROM jobs WHERE account_id = ? AND active LIMIT ?)",
        (account_id, most),
    ).fetchone()
    return int(count)


def _job_of(row: sqlite3.Row) -> Job:
    notification = None
    if row["notify_url"] is not None:
        notification = Notification(
            url=row["notify_url"],
            secret=row["notify_secret"],
            attempts=row["notify_attempts"],
            next_attempt_us=row["notify_next_us"],
        )
    return Job(
        job_id=row["job_id"],
        account_id=row["account_id"],
        key_digest=row["key_digest"],
        key_kind=KeyKind(row["key_kind"]),
        parameters=json.loads(row["parameters"]),
        created_us=row["created_us"],
        state=JobState(row["state"]),
        is_paused=bool(row["paused"]),
        closed_us=row["closed_us"],
        cancelled_us=row["cancelled_us"],
        ended_us=row["ended_us"],
        first_us=row["first_us"],
        last_us=row["last_us"],
        counts=JobCounts(
            received=max(row["known"], row["listed"]),
            done=row["done"],
            failed=row["failed"],
            cancelled=row["cancelled"],
            charged=row["quarters"],
        ),
        notification=notification,
    )

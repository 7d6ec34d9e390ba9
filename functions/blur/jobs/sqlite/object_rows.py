"""Read and write the rows of objects in SQLite, in the transaction of the caller.

`leased_until_us` is the time from which a worker can claim a waiting row. The value is 0 if the row
can be claimed now, and a later time if another worker has the row or an attempt has just failed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import TYPE_CHECKING

from blur.jobs.model import JobObject, ObjectState, object_id
from blur.jobs.ports import ObjectPage
from blur.skew import CLOCK_SKEW_US

if TYPE_CHECKING:
    from blur.accounts.model import Instant


def find(db: sqlite3.Connection, job_id: str, object_id: str) -> JobObject | None:
    """Return the row, or None if it does not exist."""
    row = db.execute(
        "SELECT * FROM job_objects WHERE job_id = ? AND object_id = ?", (job_id, object_id)
    ).fetchone()
    return None if row is None else _object_of(row)


def add_waiting(db: sqlite3.Connection, job_id: str, source: str, now_us: Instant) -> None:
    """Insert a waiting row."""
    db.execute(
        """
        INSERT INTO job_objects (job_id, object_id, source, state, added_us) VALUES (?, ?, ?, ?, ?)
        """,
        (job_id, object_id(source), source, ObjectState.WAITING, now_us),
    )


def write_final(db: sqlite3.Connection, row: JobObject) -> None:
    """Write the final state of an object to its existing row."""
    db.execute(
        """
        UPDATE job_objects SET state = ?, quarters = ?, code = ?, message = ?, content_type = ?,
                               duration_ms = ?, pixels = ?, at_us = ?, leased_until_us = 0
        WHERE job_id = ? AND object_id = ?
        """,
        (
            row.state,
            row.charged,
            row.code,
            row.message,
            row.content_type,
            row.duration_ms,
            row.pixels,
            row.at_us,
            row.job_id,
            row.object_id,
        ),
    )


def page(
    db: sqlite3.Connection,
    job_id: str,
    states: Collection[ObjectState],
    after: str | None,
    limit: int,
) -> ObjectPage:
    """Return a page of the rows with these states, sorted by object id.

    The SQL statement contains the states as constants, so that SQLite can use the index of failed
    rows.
    """
    names = [f"'{ObjectState(state)}'" for state in states]
    has_state = f"state = {names[0]}" if len(names) == 1 else f"state IN ({', '.join(names)})"
    rows = db.execute(
        f"""
        SELECT * FROM job_objects WHERE job_id = ? AND object_id > ? AND {has_state}
        ORDER BY object_id LIMIT ?
        """,  # noqa: S608 - only names of states are inserted
        (job_id, after or "", limit + 1),
    ).fetchall()
    objects = tuple(_object_of(row) for row in rows[:limit])
    return ObjectPage(objects, objects[-1].object_id if len(rows) > limit else None)


_CAN_START = """
    job_objects.state = 'waiting' AND (leased_until_us <= :now OR leased_until_us > :latest)
"""
"""A lease that ends after `:latest` is ignored, because it was written before the clock was set
back. `:latest` is `CLOCK_SKEW_US` after the end of a lease that starts now: another worker can
write a slightly later lease while this worker waits for the database file."""
_RUNNING = """
    active AND known > done + failed + cancelled AND jobs.state IN ('open', 'closed') AND NOT paused
"""


def claim(db: sqlite3.Connection, now_us: Instant, until_us: Instant) -> JobObject | None:
    """Lease the next waiting object, and count the attempt.

    The account that has waited longest since its last claim is next, so that an account with many
    photos does not delay other accounts. The object comes from the account's oldest job that has an
    object that can be claimed now.
    """
    latest_us = until_us + CLOCK_SKEW_US
    job = db.execute(
        f"""
        SELECT job_id FROM jobs
        WHERE {_RUNNING} AND EXISTS
              (SELECT 1 FROM job_objects WHERE job_objects.job_id = jobs.job_id AND {_CAN_START})
        ORDER BY (SELECT MAX(claimed) FROM jobs AS own WHERE own.account_id = jobs.account_id),
                 created_us, job_id
        LIMIT 1
        """,  # noqa: S608 - only constants are inserted
        {"now": now_us, "latest": latest_us},
    ).fetchone()
    if job is None:
        return None
    job_id = job["job_id"]
    row = db.execute(
        f"""
        SELECT object_id FROM job_objects WHERE job_id = :job AND {_CAN_START}
        ORDER BY added_us, object_id LIMIT 1
        """,  # noqa: S608 - only a constant is inserted
        {"now": now_us, "latest": latest_us, "job": job_id},
    ).fetchone()
    db.execute(
        """
        UPDATE job_objects SET attempts = attempts + 1, leased_until_us = ?
        WHERE job_id = ? AND object_id = ?
        """,
        (until_us, job_id, row["object_id"]),
    )
    db.execute(
        "UPDATE jobs SET claimed = (SELECT MAX(claimed) + 1 FROM jobs) WHERE job_id = ?", (job_id,)
    )
    return find(db, job_id, row["object_id"])


def release(db: sqlite3.Connection, claimed: JobObject, retry_us: Instant) -> None:
    """End the lease of the attempt `claimed`; the next attempt can start at `retry_us`."""
    db.execute(
        """
        UPDATE job_objects SET leased_until_us = ?
        WHERE job_id = ? AND object_id = ? AND state = ? AND attempts = ?
        """,
        (retry_us, claimed.job_id, claimed.object_id, ObjectState.WAITING, claimed.attempts),
    )


def park(db: sqlite3.Connection, job_id: str, object_id: str) -> None:
    """End the lease of a waiting row, and subtract its attempt, which was already counted."""
    db.execute(
        """
        UPDATE job_objects SET leased_until_us = 0, attempts = MAX(attempts - 1, 0)
        WHERE job_id = ? AND object_id = ?
        """,
        (job_id, object_id),
    )


def count_waiting(db: sqlite3.Connection) -> int:
    """Return the number of objects without a final state, in jobs that are being processed."""
    (waiting,) = db.execute(
        f"""
        SELECT COALESCE(SUM(known - done - failed - cancelled), 0) FROM jobs WHERE {_RUNNING}
        """  # noqa: S608 - only a constant is inserted
    ).fetchone()
    return int(waiting)


def _object_of(row: sqlite3.Row) -> JobObject:
    return JobObject(
        job_id=row["job_id"],
        source=row["source"],
        state=ObjectState(row["state"]),
        charged=row["quarters"],
        code=row["code"],
        message=row["message"],
        content_type=row["content_type"],
        duration_ms=row["duration_ms"],
        pixels=row["pixels"],
        at_us=row["at_us"],
        attempts=row["attempts"],
    )

"""A job as clients see it, in responses, notifications and events."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from blur.credits import credits_number
from blur.timing import rfc3339

if TYPE_CHECKING:
    from blur.accounts.model import Instant
    from blur.jobs.model import Job, JobObject


def job_document(job: Job, *, now_us: Instant) -> dict[str, Any]:
    """Return the job as JSON values: credits as numbers, times as RFC 3339 in UTC."""
    left_s = job.seconds_left(now_us)
    return {
        "job_id": job.job_id,
        "state": job.shown_state,
        "parameters": dict(job.parameters),
        "counts": {
            "received": job.counts.received,
            "done": job.counts.done,
            "failed": job.counts.failed,
            "cancelled": job.counts.cancelled,
            "charged": credits_number(job.counts.charged),
        },
        "created_at": rfc3339(job.created_us),
        "closed_at": _time(job.closed_us),
        "ended_at": _time(job.ended_us),
        "seconds_left": None if left_s is None else math.ceil(left_s),
    }


def failure_document(row: JobObject) -> dict[str, Any]:
    """Return a failed photo of a job as JSON values."""
    return {"source": row.source, "code": row.code, "message": row.message}


def _time(at_us: Instant | None) -> str | None:
    return None if at_us is None else rfc3339(at_us)

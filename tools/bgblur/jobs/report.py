"""Format a job as text for people and as JSON for scripts."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bgblur.blurring.report import count_of
from bgblur.console import command_name
from bgblur.jobs.progress import NO_CREDITS
from bgblur.live_bars import duration

if TYPE_CHECKING:
    from bgblur.jobs.connection import Server
    from bgblur.jobs.fetch import Fetch
    from bgblur.jobs.folder import Folder
    from bgblur.jobs.submit import Submission
    from blur_client import Job

SECRET_FIELDS = frozenset({"upload", "notify_secret"})
"""The fields that `document` leaves out: the signed form, and the secret of the notification."""


def document(job: Job) -> dict[str, Any]:
    """Return the JSON object of a job, without its upload form and its secret."""
    fields = {name: value for name, value in asdict(job).items() if name not in SECRET_FIELDS}
    return {**fields, "parameters": dict(job.parameters)}


def record(job: Job) -> dict[str, Any]:
    """Return the labels and values to print about a job."""
    left = None if job.seconds_left is None else duration(job.seconds_left)
    return {
        "job": job.job_id,
        "state": job.state,
        "parameters": dict(job.parameters),
        "received": job.received,
        "done": job.done,
        "failed": job.failed,
        "cancelled": job.cancelled,
        "credits charged": job.charged,
        "time left": left,
        "created": job.created_at,
        "closed": job.closed_at,
        "ended": job.ended_at,
        **({"copy to": job.copy_to} if job.copy_to else {}),
    }


def reason_to_wait(job: Job) -> str | None:
    """Return the reason why a paused job does not proceed, or a cancelled job has not ended yet."""
    if job.state == "paused":
        return NO_CREDITS
    if job.state == "cancelled" and not job.has_ended:
        return (
            "Photos that are being processed are finished first, so the job ends a few minutes"
            " after it was cancelled."
        )
    return None


def how_to_continue(photos: Folder, job_id: str, server: Server) -> str:
    """Return a sentence with the command that continues an interrupted upload."""
    options = [*(["-R"] if photos.recursive else []), "--job", job_id, *server.options]
    path = str(photos.path)
    folder = f"./{path}" if path.startswith("-") else path  # otherwise the name would be an option
    return f"Continue with: {_command('submit', folder, *options)}"


def how_to_follow(job_id: str, server: Server) -> str:
    """Return a line with the command that shows the progress of a job until its end."""
    return f"Progress: {_command('status', job_id, '--wait', *server.options)}"


def submit_summary(submission: Submission, job: Job, server: Server) -> str:
    """Return the lines to print after an upload: the job's id, and the next commands."""
    uploaded = submission.uploaded + submission.skipped
    failed = f", {len(submission.failures)} not uploaded" if submission.failures else ""
    lines = [f"Job {job.job_id}: {count_of(uploaded, 'photo')} uploaded{failed}. {_state(job)}"]
    if note := reason_to_wait(job):
        lines.append(note)
    if not job.has_ended:
        lines.append(how_to_follow(job.job_id, server))
    elif job.failed:
        lines.append(f"Failures: {_command('status', job.job_id, *server.options)}")
    lines.append(f"Results:  {_command('fetch', job.job_id, '-o', 'FOLDER', *server.options)}")
    return "\n".join(lines)


def fetch_summary(fetched: Fetch, job: Job) -> str:
    """Return a line about the fetched results, with a hint if the job has not ended."""
    parts = [f"{count_of(fetched.fetched, 'result')} saved in {fetched.files.folder}"]
    parts += [f"{fetched.skipped} skipped"] if fetched.skipped else []
    parts += [f"{len(fetched.failures)} not saved"] if fetched.failures else []
    line = f"{', '.join(parts)}. {_state(job)}"
    return line if job.has_ended else f"{line} Repeat the command later for the other results."


def _command(*arguments: str) -> str:
    return shlex.join([command_name(), "jobs", *arguments])


def _state(job: Job) -> str:
    parts = [f"{job.done} of {count_of(job.received, 'photo')} done"]
    parts += [f"{job.failed} failed"] if job.failed else []
    parts += [f"{job.cancelled} cancelled"] if job.cancelled else []
    return f"{', '.join(parts)}, {count_of(job.charged, 'credit')} charged."

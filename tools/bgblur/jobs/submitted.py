"""The list of the jobs that this machine has submitted. The API itself has no list of jobs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from bgblur import local_settings
from bgblur.jobs.appended_lines import AppendedLines


class SubmittedJob(NamedTuple):
    """A job, the folder that was submitted, and the address of the API."""

    job: str
    """The job's id."""
    created: str
    folder: str
    api: str


def remember(job: SubmittedJob) -> None:
    """Append a job to the list.

    Raises:
        OSError: the file cannot be written.

    """
    with AppendedLines(_path()) as lines:
        lines.append(job)


def submitted() -> list[SubmittedJob]:
    """Return the jobs, the newest first.

    Raises:
        OSError: the file exists and cannot be read.

    """
    if not _path().exists():
        return []
    return [SubmittedJob(*values) for values in AppendedLines(_path()).read()][::-1]


def _path() -> Path:
    return local_settings.data_folder(os.environ) / "jobs" / "submitted.jsonl"

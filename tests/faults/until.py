"""Waits until a condition is true, or until a job is done, with a time limit."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.integration.jobs.job_client import JOB_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs.job_client import Document, JobClient

WAIT_S = 60
SELDOM_S = 0.3
"""The pause between two checks that cost much CPU time, such as requests to a server."""


def until(holds: Callable[[], bool], *, pause_s: float = 0.02) -> None:
    """Wait until the condition is true; fail after `WAIT_S` seconds."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, f"the condition was not true within {WAIT_S} s"
        time.sleep(pause_s)


def until_done(client: JobClient, job: Document) -> Document:
    """Wait until the job is done; return the job's document."""
    deadline = time.monotonic() + JOB_S
    while (document := client.show(job))["state"] != "done":
        assert time.monotonic() < deadline, document
        time.sleep(SELDOM_S)
    return document

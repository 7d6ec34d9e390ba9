"""The commands that `bgblur jobs` prints can be run unchanged."""

from __future__ import annotations

import shlex
import threading
from pathlib import Path
from typing import Any

import pytest

from bgblur.jobs.commands import submit
from bgblur.jobs.connection import Server
from bgblur.jobs.folder import Folder
from bgblur.jobs.report import how_to_continue, submit_summary
from bgblur.jobs.submit import Submission
from blur_client.job_documents import Job


@pytest.mark.parametrize("name", ["album", "-dash", "--job", "it's a folder"])
def test_the_printed_command_continues_the_upload_of_a_folder_with_any_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    server = Server("http://localhost", "key", ("--api", "http://localhost"))
    hint = how_to_continue(Folder(Path(name), recursive=True), "job_1", server)
    command = shlex.split(hint.removeprefix("Continue with: "))
    assert command[:3] == ["bgblur", "jobs", "submit"]
    given = submit.make_context("submit", command[3:]).params
    assert given["folder"].resolve() == tmp_path / name
    assert (given["job_id"], given["recursive"], given["api"]) == ("job_1", True, server.url)


@pytest.mark.parametrize("failed", [0, 1])
def test_the_command_that_lists_failures_is_printed_only_if_a_photo_failed(failed: int) -> None:
    nothing: Any = None  # the summary uses only the numbers
    submission = Submission(nothing, nothing, "job_1", nothing, threading.Event(), uploaded=2)
    job = Job(
        job_id="job_1",
        state="done",
        parameters={},
        received=2,
        done=2 - failed,
        failed=failed,
        cancelled=0,
        charged=2 - failed,
        seconds_left=None,
        upload=None,
        copy_to=None,
        notify_secret=None,
        created_at="2026-11-28T00:00:00Z",
        closed_at="2026-11-28T00:00:01Z",
        ended_at="2026-11-28T00:00:02Z",
    )
    summary = submit_summary(submission, job, Server("http://localhost", "key"))
    assert ("Failures: bgblur jobs status job_1" in summary.splitlines()) is bool(failed)

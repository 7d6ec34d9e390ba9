"""The list of the jobs that were submitted from this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgblur import local_settings
from bgblur.jobs.submitted import SubmittedJob, remember, submitted

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_newest_job_is_listed_first_and_an_incomplete_last_line_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_settings, "data_folder", lambda _: tmp_path / "data")
    assert submitted() == []
    jobs = [
        SubmittedJob(f"job_{day}", f"2026-11-{day}T10:00:00Z", "/photos/ä b", "https://x.example")
        for day in (25, 26)
    ]
    for job in jobs:
        remember(job)
    assert submitted() == jobs[::-1]
    with (tmp_path / "data" / "jobs" / "submitted.jsonl").open("a") as file:
        file.write('["job_27", "2026')
    assert submitted() == jobs[::-1], "the incomplete last line was not skipped"

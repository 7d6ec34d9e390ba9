"""A folder with the files of jobs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from blur.storage.job_folder import JobFolder

if TYPE_CHECKING:
    from pathlib import Path


NOW_US = time.time_ns() // 1000
JOB = "job_9Xb-7"


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return JobFolder(tmp_path / "media")


def put(folder: JobFolder, source: str, data: bytes = b"photo", job_id: str = JOB) -> None:
    with folder.writing_source(job_id, source) as file:
        file.write(data)

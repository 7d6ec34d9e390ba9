"""Results in a bucket. The tests of the routes cover only results in a folder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.clocks import START, Clock
from tests.unit.jobs.conftest import JOB_ID, new_job

from blur.job_errors import ResultNotFoundError
from blur.jobs.model import JobObject, ObjectState, object_id
from blur.jobs.service import KEPT_US, JobService
from blur.storage.job_folder import JobFolder
from blur.storage.ports import Link

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.jobs.fake_store import FakeJobStore


class LinkingFolder(JobFolder):
    """A folder whose results have links, like the results in a bucket."""

    def link_result(self, job_id: str, object_id: str, *, now_us: int) -> Link:
        return Link(f"https://bucket.example/{job_id}/{object_id}", now_us + 1)


@pytest.fixture
def service(store: FakeJobStore, clock: Clock, tmp_path: Path) -> JobService:
    return JobService(
        jobs=store,
        files=LinkingFolder(tmp_path),
        max_bytes=100,
        check_notify=lambda _: None,
        clock=clock,
        new_id=lambda: JOB_ID,
        new_secret=lambda: "whsec_",
    )


def test_the_link_of_a_result_is_returned_only_while_the_bucket_has_the_result(
    service: JobService, store: FakeJobStore, clock: Clock
) -> None:
    """Links are signed without a request to S3, so the link of a removed result would fail."""
    job = new_job()
    store.create_job(job)
    row = JobObject(job_id=JOB_ID, source="a", state=ObjectState.DONE, content_type="image/png")
    store.end_object(row, None, now_us=START)
    clock.at_us = START + KEPT_US - 1
    assert service.result(job, object_id("a")).link
    clock.at_us = START + KEPT_US
    with pytest.raises(ResultNotFoundError):
        service.result(job, object_id("a"))
    store.end_object(replace(row, source="b"), None, now_us=clock())
    assert service.result(job, object_id("b")).link

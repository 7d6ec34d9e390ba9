"""A job with a photo in a folder, and a runner with a stub for the model."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image
from tests.clocks import START, Clock
from tests.unit.imaging.predictors import DiscPredictor
from tests.unit.jobs.fake_store import FakeJobStore

from blur.accounts.model import KeyKind
from blur.api.job_request import parse_parameters
from blur.credits import whole
from blur.engine import Engine
from blur.jobs.model import Job
from blur.jobs.runner import EndedObject, ObjectRunner
from blur.prices import Prices
from blur.storage.job_folder import JobFolder

JOB_ID, SOURCE = "job_1", "shoes/red shoe.jpg"


class FailingFolder(JobFolder):
    """A folder whose reads and writes can raise any error."""

    before: Callable[[str], None] = staticmethod(lambda _: None)

    def read_source(self, job_id: str, source: str, *, max_bytes: int) -> bytes:
        self.before("read_source")
        return super().read_source(job_id, source, max_bytes=max_bytes)

    def write_result(
        self, job_id: str, object_id: str, data: bytes, *, content_type: str, file_name: str
    ) -> None:
        self.before("write_result")
        super().write_result(
            job_id, object_id, data, content_type=content_type, file_name=file_name
        )


@dataclass
class Log:
    """The photos that a runner has processed, and its unexpected errors."""

    ended: list[EndedObject] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> FakeJobStore:
    return FakeJobStore()


@pytest.fixture
def files(tmp_path: Path) -> FailingFolder:
    folder = FailingFolder(tmp_path / "media")
    put(folder, SOURCE, photo())
    return folder


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def runner(store: FakeJobStore, files: FailingFolder, clock: Clock, log: Log) -> ObjectRunner:
    ticks = itertools.count(step=1_000_000)
    return ObjectRunner(
        jobs=store,
        files=files,
        engine=Engine(model=DiscPredictor, max_pixels=10_000),
        prices=Prices(image=whole(2), preview=whole(1), person=whole(3)),
        parse=parse_parameters,
        max_bytes=100_000,
        hold_ttl_s=60,
        deadline_margin_s=5,
        clock=clock,
        ticks=lambda: next(ticks),
        on_ended=log.ended.append,
        on_error=log.errors.append,
    )


@pytest.fixture
def job(store: FakeJobStore) -> Job:
    job = new_job()
    store.create_job(job)
    return job


def new_job(job_id: str = JOB_ID, *, kind: KeyKind = KeyKind.LIVE, **parameters: str) -> Job:
    return Job(
        job_id=job_id,
        account_id="account",
        key_digest="digest",
        key_kind=kind,
        parameters={"radius": "3", **parameters},
        created_us=START,
    )


def photo() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (10, 20, 30)).save(buffer, "PNG")
    return buffer.getvalue()


def put(folder: JobFolder, source: str, data: bytes, job_id: str = JOB_ID) -> None:
    with folder.writing_source(job_id, source) as file:
        file.write(data)

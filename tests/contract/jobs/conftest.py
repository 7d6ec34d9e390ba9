"""Functions that call the routes of bulk jobs, and a runner that processes photos."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger
from events import make

from blur.engine import new_engine
from blur.job_app import build_runner
from blur.jobs.runner import Outcome
from blur.storage.job_folder import JobFolder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clocks import Clock
    from tests.contract.conftest import ApiResponse, Call

    from blur.accounts.sqlite.account_store import SqliteAccountStore
    from blur.jobs.runner import ObjectRunner
    from blur.settings import Settings


@pytest.fixture
def runner(settings: Settings, clock: Clock, store: SqliteAccountStore) -> Iterator[ObjectRunner]:
    """Return a worker's `ObjectRunner`, which uses the same store and folder as the routes."""
    del store
    stream = io.StringIO()
    runner = build_runner(
        settings,
        logger=Logger(service=f"test-{id(stream)}", stream=stream),
        engine=new_engine(settings),
        clock=clock,
    )
    yield runner
    runner.jobs.close()


@pytest.fixture
def folder(settings: Settings) -> JobFolder:
    return JobFolder(Path(settings.media.partition(":")[2]))


def send(  # noqa: PLR0913 - each parameter is a part of the request
    call: Call,
    method: str,
    path: str,
    *,
    key: str | None = make.FUNDED,
    document: dict[str, Any] | None = None,
    query: dict[str, str] | None = None,
) -> ApiResponse:
    event = make.event(method, path, key=key, document=document)
    return call({**event, "queryStringParameters": query})


def create(call: Call, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    response = send(call, "POST", "/v2/jobs", document={"radius": 3, **fields})
    assert response.status == 201, response.body
    document: dict[str, Any] = json.loads(response.body)
    return document


def show(call: Call, job: dict[str, Any], **query: str) -> dict[str, Any]:
    response = send(call, "GET", f"/v2/jobs/{job['job_id']}", query=query)
    assert response.status == 200, response.body
    document: dict[str, Any] = json.loads(response.body)
    return document


def process(
    runner: ObjectRunner, folder: JobFolder, job: dict[str, Any], photos: dict[str, bytes]
) -> None:
    """Store these photos in the job's folder, and process each photo."""
    for source, data in photos.items():
        with folder.writing_source(job["job_id"], source) as file:
            file.write(data)
        outcome = runner.run(job["job_id"], source, attempt=1, left_ms=60_000)
        assert outcome is Outcome.ENDED


def manifest(response: ApiResponse) -> list[dict[str, Any]]:
    assert response.status == 200, response.body
    assert response.headers["content-type"] == "application/jsonl"
    return [json.loads(line) for line in response.body.splitlines()]

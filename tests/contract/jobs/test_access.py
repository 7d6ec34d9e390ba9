"""The routes of bulk jobs: keys, accounts, rate limits and log lines."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from events import make
from tests.contract.conftest import ApiResponse
from tests.contract.jobs.conftest import create, process, send, show

from bgblur.serving.proxy_events import InvocationContext
from blur.app import build_app
from blur.jobs.model import object_id

if TYPE_CHECKING:
    import io

    from tests.contract.conftest import Call

    from blur.accounts.sqlite.account_store import SqliteAccountStore
    from blur.jobs.runner import ObjectRunner
    from blur.settings import Settings
    from blur.storage.job_folder import JobFolder


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", ""),
        ("GET", "/job_1"),
        ("DELETE", "/job_1"),
        ("POST", "/job_1/close"),
        ("GET", "/job_1/manifest"),
        ("GET", f"/job_1/results/{'0' * 32}"),
    ],
)
@pytest.mark.parametrize("key", [None, make.UNKNOWN])
def test_each_route_of_jobs_rejects_a_missing_or_unknown_key(
    call: Call, method: str, path: str, key: str | None
) -> None:
    response = send(call, method, f"/v2/jobs{path}", key=key)
    assert (response.status, response.error["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/close"),
        ("GET", "/manifest"),
        ("GET", f"/results/{'0' * 32}"),
    ],
)
def test_a_job_of_another_account_and_unknown_job_ids_are_not_found(
    call: Call, method: str, path: str
) -> None:
    job_id = create(call)["job_id"]
    for key, name in ((make.EMPTY, job_id), (make.FUNDED, "job_2"), (make.FUNDED, "..%2f%00")):
        response = send(call, method, f"/v2/jobs/{name}{path}", key=key)
        assert (response.status, response.error["code"]) == (404, "job_not_found")
    assert show(call, {"job_id": job_id})["state"] == "open"


def test_reading_a_job_counts_towards_the_rate_limit_and_reading_a_result_does_not(
    call: Call, runner: ObjectRunner, folder: JobFolder
) -> None:
    job = create(call)
    process(runner, folder, job, {"photo.jpg": make.jpeg()})
    before = requests_left(send(call, "GET", "/v2/account"))
    assert requests_left(send(call, "GET", f"/v2/jobs/{job['job_id']}")) == before - 1
    for _ in range(3):
        result = send(call, "GET", f"/v2/jobs/{job['job_id']}/results/{object_id('photo.jpg')}")
        assert result.status == 200
        assert "ratelimit" not in result.headers
    assert requests_left(send(call, "GET", "/v2/account")) == before - 2


def requests_left(answer: ApiResponse) -> int:
    """Return how many requests the key can still send, from the header RateLimit."""
    match = re.search(r";r=(\d+)", answer.headers["ratelimit"])
    assert match
    return int(match[1])


def test_log_lines_have_the_route_without_the_id_of_the_job(call: Call, log: io.StringIO) -> None:
    job = create(call)
    show(call, job)
    send(call, "POST", f"/v2/jobs/{job['job_id']}/close")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["path"] for line in lines] == [
        "/v2/jobs",
        "/v2/jobs/{job_id}",
        "/v2/jobs/{job_id}/close",
    ]
    assert job["job_id"] not in log.getvalue()


def test_creation_of_a_job_on_a_server_without_storage_gets_404(
    settings: Settings, store: SqliteAccountStore
) -> None:
    del store
    handler = build_app(replace(settings, media=""), opens_model=False, on_lambda=False)
    response = ApiResponse(handler(make.job(), InvocationContext()))
    assert (response.status, response.error["code"]) == (404, "not_found")

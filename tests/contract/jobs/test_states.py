"""Closed, cancelled and paused jobs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from events import make
from tests.contract.conftest import FUNDS, balance_of
from tests.contract.jobs.conftest import create, process, send, show

from blur.jobs.runner import Outcome

if TYPE_CHECKING:
    from tests.clocks import Clock
    from tests.contract.conftest import Call

    from blur.accounts.sqlite.account_store import SqliteAccountStore
    from blur.jobs.runner import ObjectRunner
    from blur.storage.job_folder import JobFolder


def test_closed_job_has_no_upload_form_and_can_be_closed_again(call: Call) -> None:
    job = create(call)
    for _ in range(2):
        response = send(call, "POST", f"/v2/jobs/{job['job_id']}/close")
        closed = json.loads(response.body)
        assert (response.status, closed["state"]) == (200, "closed")
        assert "upload" not in closed
        assert closed["closed_at"]
    assert {**show(call, job), "failures": None, "next": None} == {
        **closed,
        "failures": None,
        "next": None,
    }


def test_cancelled_job_stays_cancelled_and_its_photo_is_not_charged(
    call: Call, runner: ObjectRunner, folder: JobFolder, store: SqliteAccountStore, clock: Clock
) -> None:
    job = create(call)
    for method, path in (("DELETE", ""), ("DELETE", ""), ("POST", "/close")):
        response = send(call, method, f"/v2/jobs/{job['job_id']}{path}")
        assert (response.status, json.loads(response.body)["state"]) == (200, "cancelled")
    process(runner, folder, job, {"photo.jpg": make.jpeg()})
    assert show(call, job)["counts"]["cancelled"] == 1
    assert balance_of(store, make.FUNDED, clock) == (FUNDS, 0)


def test_a_job_of_an_account_without_credits_is_paused(
    call: Call, runner: ObjectRunner, folder: JobFolder
) -> None:
    event = make.event("POST", "/v2/jobs", key=make.EMPTY, document={"radius": "3"})
    job = json.loads(call(event).body)
    with folder.writing_source(job["job_id"], "photo.jpg") as file:
        file.write(make.jpeg())
    outcome = runner.run(job["job_id"], "photo.jpg", attempt=1, left_ms=60_000)
    assert outcome is Outcome.PARKED
    shown = json.loads(send(call, "GET", f"/v2/jobs/{job['job_id']}", key=make.EMPTY).body)
    assert (shown["state"], shown["seconds_left"]) == ("paused", None)

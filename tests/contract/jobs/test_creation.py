"""New jobs: the fields, the upload form, and the errors for invalid fields."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from events import make
from tests.contract.conftest import FUNDS, ApiResponse
from tests.contract.jobs.conftest import create, send, show

from bgblur.serving.proxy_events import InvocationContext
from blur.app import build_app
from blur.jobs import service as job_use_cases
from blur.storage.job_folder import JOB_UPLOAD_PATH

if TYPE_CHECKING:
    from tests.contract.conftest import Call

    from blur.accounts.sqlite.account_store import SqliteAccountStore
    from blur.settings import Settings

JOB_FIELDS = {
    *("job_id", "state", "parameters", "counts", "created_at", "closed_at", "ended_at"),
    *("seconds_left", "upload"),
}


def test_a_new_job_is_open_and_has_a_form_for_uploading_photos(call: Call) -> None:
    response = send(call, "POST", "/v2/jobs", document={"radius": "2%", "mode": "cutout", "x": 1})
    job = json.loads(response.body)
    assert (response.status, set(job)) == (201, JOB_FIELDS)
    assert response.headers["x-credits-charged"] == "0"
    assert response.headers["x-credits-remaining"] == str(FUNDS)
    assert job["state"] == "open"
    assert job["parameters"] == {"radius": "2%", "mode": "cutout"}
    assert job["counts"] == dict.fromkeys(("received", "done", "failed", "cancelled", "charged"), 0)
    assert (job["closed_at"], job["ended_at"], job["seconds_left"]) == (None, None, None)
    assert job["upload"]["url"] == JOB_UPLOAD_PATH
    assert job["upload"]["prefix"].endswith("/")
    assert job["upload"]["max_bytes"] == 50_000_000
    assert job["upload"]["expires_at"] > job["created_at"]


def test_the_url_of_the_upload_form_begins_with_the_public_url(
    settings: Settings, store: SqliteAccountStore
) -> None:
    del store
    public = replace(settings, public_url="https://api.example.com/blur/")
    handler = build_app(public, opens_model=False, on_lambda=False)
    job = create(lambda event: ApiResponse(handler(event, InvocationContext())))
    assert job["upload"]["url"] == f"https://api.example.com/blur{JOB_UPLOAD_PATH}"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "invalid_radius"),
        ({"radius": None}, "invalid_radius"),
        ({"radius": True}, "invalid_radius"),
        ({"radius": 51}, "invalid_radius"),
        ({"radius": 1.5}, "invalid_radius"),
        ({"radius": [3]}, "invalid_radius"),
        ({"radius": "\ud800"}, "invalid_radius"),
        ({"radius": 3, "blur": "box"}, "invalid_blur"),
        ({"radius": 3, "depth": None}, "invalid_depth"),
        ({"radius": 3, "roi": [0, 0, 1, 1]}, "invalid_roi"),
        ({"radius": 3, "subject": "car"}, "invalid_subject"),
        ({"radius": 3, "mode": {}}, "invalid_mode"),
        ({"radius": 3, "format": "bmp"}, "invalid_format"),
        ({"radius": 3, "quality": 0}, "invalid_quality"),
        ({"radius": 3, "notify": "https://example.com/"}, "invalid_notify"),
        ({"radius": 3, "notify": None}, "invalid_notify"),
    ],
)
def test_an_invalid_field_gets_400_with_the_error_code_of_the_field(
    call: Call, fields: dict[str, Any], code: str
) -> None:
    response = send(call, "POST", "/v2/jobs", document=fields)
    assert (response.status, response.error["code"]) == (400, code)
    assert response.headers["x-credits-remaining"] == str(FUNDS)


def test_only_the_response_that_creates_a_job_with_notify_has_the_notification_secret(
    settings: Settings, store: SqliteAccountStore
) -> None:
    del store
    handler = build_app(replace(settings, fetch_urls=True), opens_model=False, on_lambda=False)

    def call(event: dict[str, Any]) -> ApiResponse:
        return ApiResponse(handler(event, InvocationContext()))

    job = create(call, notify="https://shop.example/ended")
    assert job["notify_secret"].startswith("whsec_")
    assert set(job) == {*JOB_FIELDS, "notify_secret"}
    assert job["parameters"] == {"radius": "3"}
    shown = send(call, "GET", f"/v2/jobs/{job['job_id']}")
    closed = send(call, "POST", f"/v2/jobs/{job['job_id']}/close")
    assert not any(b"whsec_" in response.body for response in (shown, closed))
    assert "notify_secret" not in create(call)
    for url in ("https://127.0.0.1/", "shop.example", "https://shop.example/\ud800", ""):
        document = {"radius": 3, "notify": url}
        rejected = send(call, "POST", "/v2/jobs", document=document)
        assert (rejected.status, rejected.error["code"]) == (400, "invalid_notify")


def test_an_account_with_too_many_active_jobs_gets_429_for_a_new_job(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_use_cases, "MAX_ACTIVE", 2)
    first, _ = create(call), create(call)
    refused = send(call, "POST", "/v2/jobs", document={"radius": 3})
    assert (refused.status, refused.error["code"]) == (429, "too_many_jobs")
    assert refused.headers["retry-after"] == str(refused.error["retry_after"]) == "60"
    assert refused.headers["x-credits-charged"] == "0"
    assert refused.headers["x-credits-remaining"] == str(FUNDS)
    assert show(call, first)["state"] == "open"


def test_parameters_are_stored_as_strings_without_surrounding_whitespace(call: Call) -> None:
    assert create(call, quality=80, format=" jpeg\n")["parameters"] == {
        "radius": "3",
        "quality": "80",
        "format": "jpeg",
    }


@pytest.mark.parametrize("body", ["", "[]", "{", '"radius"'])
def test_a_body_that_is_not_a_json_object_is_rejected(call: Call, body: str) -> None:
    event = make.event("POST", "/v2/jobs", key=make.FUNDED, document={})
    response = call({**event, "body": body, "isBase64Encoded": False})
    assert (response.status, response.error["code"]) == (400, "invalid_request")


def test_a_body_of_more_than_10_kb_gets_413(call: Call) -> None:
    response = send(call, "POST", "/v2/jobs", document={"radius": "3", "x": "y" * 10_000})
    assert (response.status, response.error["code"]) == (413, "image_too_large")


def test_creating_a_job_with_an_exhausted_rate_limit_gets_429(call: Call) -> None:
    response = send(call, "POST", "/v2/jobs", key=make.LIMITED, document={"radius": "3"})
    assert (response.status, response.error["code"]) == (429, "rate_limit_exceeded")

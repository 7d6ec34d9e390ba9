"""The routes of bulk jobs, with the stores and the storage of the embedded server."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger
from events import make
from PIL import Image

from bgblur.serving.proxy_events import InvocationContext
from blur.api import jobs as job_routes
from blur.app import build_app
from blur.job_app import build_runner
from blur.jobs import service as job_use_cases
from blur.jobs.model import object_id
from blur.jobs.runner import Outcome
from blur.storage.job_folder import JOB_UPLOAD_PATH, JobFolder

from .conftest import FUNDS, ApiResponse, balance_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blur.accounts.sqlite.account_store import SqliteAccountStore
    from blur.jobs.runner import ObjectRunner
    from blur.settings import Settings

    from .conftest import Call, Clock

JOB_FIELDS = {
    *("job_id", "state", "parameters", "counts", "created_at", "closed_at", "ended_at"),
    *("seconds_left", "upload"),
}


@pytest.fixture
def runner(settings: Settings, clock: Clock, store: SqliteAccountStore) -> Iterator[ObjectRunner]:
    """Return the runner of a worker; it uses the same store and folder as the routes."""
    del store
    stream = io.StringIO()
    runner = build_runner(
        settings, logger=Logger(service=f"test-{id(stream)}", stream=stream), clock=clock
    )
    yield runner
    runner.jobs.close()


@pytest.fixture
def folder(settings: Settings) -> JobFolder:
    return JobFolder(Path(settings.media.partition(":")[2]))


def send(  # noqa: PLR0913 - the parts of a request
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


def create(call: Call, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
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
    """Store photos of a job and process them."""
    for source, data in photos.items():
        with folder.writing_source(job["job_id"], source) as file:
            file.write(data)
        outcome = runner.run(job["job_id"], source, attempt=1, left_ms=60_000)
        assert outcome is Outcome.ENDED


def manifest(response: ApiResponse) -> list[dict[str, Any]]:
    assert response.status == 200, response.body
    assert response.headers["content-type"] == "application/jsonl"
    return [json.loads(line) for line in response.body.splitlines()]


def test_new_job_is_open_and_has_a_form_for_photos(call: Call) -> None:
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


def test_url_of_the_form_has_the_public_url(settings: Settings, store: SqliteAccountStore) -> None:
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
def test_invalid_field_gets_the_error_of_a_single_call(
    call: Call, fields: dict[str, Any], code: str
) -> None:
    response = send(call, "POST", "/v2/jobs", document=fields)
    assert (response.status, response.error["code"]) == (400, code)
    assert response.headers["x-credits-remaining"] == str(FUNDS)


def test_secret_of_a_notification_is_shown_once(
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


def test_account_with_too_many_jobs_has_to_wait_for_their_end(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_use_cases, "MOST_ACTIVE", 2)
    first, _ = create(call), create(call)
    refused = send(call, "POST", "/v2/jobs", document={"radius": 3})
    assert (refused.status, refused.error["code"]) == (429, "too_many_jobs")
    assert refused.headers["retry-after"] == str(refused.error["retry_after"]) == "60"
    assert refused.headers["x-credits-charged"] == "0"
    assert refused.headers["x-credits-remaining"] == str(FUNDS)
    assert show(call, first)["state"] == "open"


def test_number_as_a_parameter_has_the_same_effect_as_its_text(call: Call) -> None:
    assert create(call, quality=80, format=" jpeg\n")["parameters"] == {
        "radius": "3",
        "quality": "80",
        "format": "jpeg",
    }


@pytest.mark.parametrize("body", ["", "[]", "{", '"radius"'])
def test_body_that_is_not_an_object_is_rejected(call: Call, body: str) -> None:
    event = make.event("POST", "/v2/jobs", key=make.FUNDED, document={})
    response = call({**event, "body": body, "isBase64Encoded": False})
    assert (response.status, response.error["code"]) == (400, "invalid_request")


def test_large_body_is_rejected(call: Call) -> None:
    response = send(call, "POST", "/v2/jobs", document={"radius": "3", "x": "y" * 10_000})
    assert (response.status, response.error["code"]) == (413, "image_too_large")


def test_creation_counts_in_the_rate_limit_of_calls(call: Call) -> None:
    response = send(call, "POST", "/v2/jobs", key=make.LIMITED, document={"radius": "3"})
    assert (response.status, response.error["code"]) == (429, "rate_limit_exceeded")


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
def test_each_route_needs_a_valid_key(call: Call, method: str, path: str, key: str | None) -> None:
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
def test_job_of_another_account_is_not_found(call: Call, method: str, path: str) -> None:
    job_id = create(call)["job_id"]
    for key, name in ((make.EMPTY, job_id), (make.FUNDED, "job_2"), (make.FUNDED, "..%2f%00")):
        response = send(call, method, f"/v2/jobs/{name}{path}", key=key)
        assert (response.status, response.error["code"]) == (404, "job_not_found")
    assert show(call, {"job_id": job_id})["state"] == "open"


def test_processed_photos_are_counted_charged_and_listed(
    call: Call,
    runner: ObjectRunner,
    folder: JobFolder,
    store: SqliteAccountStore,
    clock: Clock,
) -> None:
    job = create(call, format="jpeg")
    photos = {"shoes/rouge é.jpg": make.jpeg(), "flat.png": make.flat(), "text.jpg": b"text"}
    process(runner, folder, job, photos)
    after = show(call, job)
    assert after["counts"] == {
        "received": 3,
        "done": 1,
        "failed": 2,
        "cancelled": 0,
        "charged": 1,
    }
    failures = {failure["source"]: failure for failure in after["failures"]}
    assert {name: each["code"] for name, each in failures.items()} == {
        "flat.png": "no_subject",
        "text.jpg": "invalid_image",
    }
    assert all(each["message"] for each in failures.values())
    assert after["next"] is None
    assert balance_of(store, make.FUNDED, clock) == (FUNDS - 1, 0)

    base = f"/prod/v2/jobs/{job['job_id']}"
    lines = manifest(send(call, "GET", f"/v2/jobs/{job['job_id']}/manifest"))
    by_source = {line["source"]: line for line in lines}
    assert set(by_source) == set(photos)
    done = by_source["shoes/rouge é.jpg"]
    assert done["result"] == f"{base}/results/{object_id('shoes/rouge é.jpg')}"
    assert (done["state"], done["code"], done["credits"]) == ("done", None, 1)
    assert done["milliseconds"] > 0
    failed = by_source["text.jpg"]
    assert (failed["state"], failed["result"], failed["credits"]) == ("failed", None, 0)
    assert (failed["code"], failed["message"]) == (
        "invalid_image",
        failures["text.jpg"]["message"],
    )

    result = send(call, "GET", done["result"].removeprefix("/prod"))
    assert (result.status, result.headers["content-type"]) == (200, "image/jpeg")
    with Image.open(io.BytesIO(result.body)) as image:
        assert (image.format, image.size) == ("JPEG", (192, 192))


def test_result_is_the_image_of_a_single_call(
    call: Call, runner: ObjectRunner, folder: JobFolder
) -> None:
    job = create(call, radius=12, blur="bokeh", format="webp", quality=80)
    process(runner, folder, job, {"photo.jpg": make.jpeg()})
    result = send(call, "GET", f"/v2/jobs/{job['job_id']}/results/{object_id('photo.jpg')}")
    assert result.body == call(make.blur(blur="bokeh", format="webp", quality="80")).body


def test_photo_without_a_result_is_not_found(
    call: Call, runner: ObjectRunner, folder: JobFolder
) -> None:
    job = create(call)
    process(runner, folder, job, {"text.jpg": b"text"})
    for name in (object_id("text.jpg"), object_id("other.jpg"), "..", "0" * 31):
        response = send(call, "GET", f"/v2/jobs/{job['job_id']}/results/{name}")
        assert (response.status, response.error["code"]) == (404, "result_not_found")


def test_expired_result_is_not_found(
    call: Call, runner: ObjectRunner, folder: JobFolder, clock: Clock
) -> None:
    job = create(call)
    process(runner, folder, job, {"photo.jpg": make.jpeg()})
    folder.sweep(now_us=clock() + 8 * 86_400_000_000)
    response = send(call, "GET", f"/v2/jobs/{job['job_id']}/results/{object_id('photo.jpg')}")
    assert (response.status, response.error["code"]) == (404, "result_not_found")


def test_failures_and_manifest_are_paged(
    call: Call, runner: ObjectRunner, folder: JobFolder
) -> None:
    job = create(call)
    photos = {f"{number}.jpg": b"text" for number in range(5)}
    process(runner, folder, job, photos)
    sources, query = [], {"limit": "2"}
    for size in (2, 2, 1):
        page = show(call, job, **query)
        assert len(page["failures"]) == size
        sources += [failure["source"] for failure in page["failures"]]
        query["after"] = page["next"]
    assert (page["next"], sorted(sources)) == (None, sorted(photos))

    lines, target = [], f"/prod/v2/jobs/{job['job_id']}/manifest?limit=2"
    for size in (2, 2, 1):
        path, _, pairs = target.removeprefix("/prod").partition("?")
        query = dict(pair.split("=") for pair in pairs.split("&"))
        response = send(call, "GET", path, query=query)
        assert len(manifest(response)) == size
        lines += [line["source"] for line in manifest(response)]
        link = response.headers.get("link", "")
        target = link.removeprefix("<").removesuffix('>; rel="next"')
    assert (link, sorted(lines)) == ("", sorted(photos))


def test_manifest_has_fewer_lines_if_they_are_long(
    call: Call, runner: ObjectRunner, folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_routes, "MAX_MANIFEST_BYTES", 1_500)
    job = create(call)
    photos = {"é" * 200 + str(number): b"text" for number in range(3)}
    process(runner, folder, job, photos)
    found: list[str] = []
    query: dict[str, str] = {}
    for _ in photos:
        response = send(call, "GET", f"/v2/jobs/{job['job_id']}/manifest", query=query)
        assert len(response.body) <= 1_500
        (line,) = manifest(response)
        found.append(line["source"])
        query = {"after": object_id(line["source"])}
    assert sorted(found) == sorted(photos)
    assert "link" not in response.headers


@pytest.mark.parametrize("path", ["", "/manifest"])
@pytest.mark.parametrize(
    "query",
    [{"limit": text} for text in ("0", "-1", "1.5", "many", "", "10001")]
    + [{"after": text} for text in ("", "x", "0" * 31, "0" * 32 + "\n", "/" * 32)],
)
def test_invalid_page_is_rejected(call: Call, path: str, query: dict[str, str]) -> None:
    job = create(call)
    response = send(call, "GET", f"/v2/jobs/{job['job_id']}{path}", query=query)
    assert (response.status, response.error["code"]) == (400, "invalid_request")


def test_largest_page_is_accepted(call: Call) -> None:
    path = f"/v2/jobs/{create(call)['job_id']}"
    for route, most in ((path, 1_000), (f"{path}/manifest", 10_000)):
        assert send(call, "GET", route, query={"limit": str(most)}).status == 200
        rejected = send(call, "GET", route, query={"limit": str(most + 1)})
        assert f"from 1 to {most}." in rejected.error["message"]


@pytest.mark.parametrize(
    ("public_url", "host", "base"),
    [
        ("https://api.example.com/blur/", "localhost:1", "https://api.example.com/blur"),
        ("", "localhost:1", "http://localhost:1/prod"),
        ("", "api.example.com", "/prod"),
    ],
)
def test_urls_of_results_have_the_address_of_the_server_if_it_is_known(  # noqa: PLR0913, PLR0917 - fixtures
    settings: Settings,
    runner: ObjectRunner,
    folder: JobFolder,
    public_url: str,
    host: str,
    base: str,
) -> None:
    public = replace(settings, public_url=public_url)
    handler = build_app(public, opens_model=False, on_lambda=False)

    def call(event: dict[str, Any]) -> ApiResponse:
        event["headers"]["Host"] = host
        event["multiValueHeaders"]["Host"] = [host]
        return ApiResponse(handler(event, InvocationContext()))

    job = create(call)
    process(runner, folder, job, {"photo.jpg": make.jpeg(), "text.jpg": b"text"})
    path = f"/v2/jobs/{job['job_id']}"
    response = send(call, "GET", f"{path}/manifest", query={"limit": "1"})
    (line,) = manifest(response)
    others = manifest(
        send(call, "GET", f"{path}/manifest", query={"after": object_id(line["source"])})
    )
    results = {each["source"]: each["result"] for each in (line, *others)}
    assert results == {
        "photo.jpg": f"{base}{path}/results/{object_id('photo.jpg')}",
        "text.jpg": None,
    }
    assert response.headers["link"].startswith(f"<{base}{path}/manifest?after=")


def test_closed_job_has_no_form_and_can_be_closed_again(call: Call) -> None:
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


def test_cancelled_job_stays_cancelled(
    call: Call, runner: ObjectRunner, folder: JobFolder, store: SqliteAccountStore, clock: Clock
) -> None:
    job = create(call)
    for method, path in (("DELETE", ""), ("DELETE", ""), ("POST", "/close")):
        response = send(call, method, f"/v2/jobs/{job['job_id']}{path}")
        assert (response.status, json.loads(response.body)["state"]) == (200, "cancelled")
    process(runner, folder, job, {"photo.jpg": make.jpeg()})
    assert show(call, job)["counts"]["cancelled"] == 1
    assert balance_of(store, make.FUNDED, clock) == (FUNDS, 0)


def test_job_without_credits_is_paused(call: Call, runner: ObjectRunner, folder: JobFolder) -> None:
    event = make.event("POST", "/v2/jobs", key=make.EMPTY, document={"radius": "3"})
    job = json.loads(call(event).body)
    with folder.writing_source(job["job_id"], "photo.jpg") as file:
        file.write(make.jpeg())
    outcome = runner.run(job["job_id"], "photo.jpg", attempt=1, left_ms=60_000)
    assert outcome is Outcome.PARKED
    shown = json.loads(send(call, "GET", f"/v2/jobs/{job['job_id']}", key=make.EMPTY).body)
    assert (shown["state"], shown["seconds_left"]) == ("paused", None)


def test_reading_a_job_has_the_rate_limit_of_the_account_and_reading_a_result_has_none(
    call: Call, runner: ObjectRunner, folder: JobFolder
) -> None:
    job = create(call)
    process(runner, folder, job, {"photo.jpg": make.jpeg()})
    before = send(call, "GET", "/v2/account").headers["ratelimit"]
    send(call, "GET", f"/v2/jobs/{job['job_id']}")
    for _ in range(3):
        result = send(call, "GET", f"/v2/jobs/{job['job_id']}/results/{object_id('photo.jpg')}")
        assert result.status == 200
        assert "ratelimit" not in result.headers
    assert send(call, "GET", "/v2/account").headers["ratelimit"] != before


def test_log_has_the_route_without_the_id_of_the_job(call: Call, log: io.StringIO) -> None:
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


def test_service_without_storage_has_no_jobs(settings: Settings, store: SqliteAccountStore) -> None:
    del store
    handler = build_app(replace(settings, media=""), opens_model=False, on_lambda=False)
    response = ApiResponse(handler(make.job(), InvocationContext()))
    assert (response.status, response.error["code"]) == (404, "not_found")

"""The counts, failures and results of processed photos."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from events import make
from PIL import Image
from tests.contract.conftest import FUNDS, ApiResponse, balance_of
from tests.contract.jobs.conftest import create, manifest, process, send, show

from bgblur.serving.proxy_events import InvocationContext
from blur.app import build_app
from blur.jobs.model import object_id

if TYPE_CHECKING:
    from tests.clocks import Clock
    from tests.contract.conftest import Call

    from blur.accounts.sqlite.account_store import SqliteAccountStore
    from blur.jobs.runner import ObjectRunner
    from blur.settings import Settings
    from blur.storage.job_folder import JobFolder


def test_each_processed_photo_is_counted_and_has_a_result_or_is_listed_as_a_failure(
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


def test_a_result_equals_the_image_of_a_single_call_with_the_same_parameters(
    call: Call, runner: ObjectRunner, folder: JobFolder
) -> None:
    job = create(call, radius=12, blur="bokeh", format="webp", quality=80)
    process(runner, folder, job, {"photo.jpg": make.jpeg()})
    result = send(call, "GET", f"/v2/jobs/{job['job_id']}/results/{object_id('photo.jpg')}")
    assert result.body == call(make.blur(blur="bokeh", format="webp", quality="80")).body


def test_request_for_a_result_that_does_not_exist_gets_404(
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


@pytest.mark.parametrize(
    ("public_url", "host", "base"),
    [
        ("https://api.example.com/blur/", "localhost:1", "https://api.example.com/blur"),
        ("", "localhost:1", "http://localhost:1/prod"),
        ("", "api.example.com", "/prod"),
    ],
)
def test_urls_of_results_start_with_the_public_url_or_a_loopback_address_or_are_paths(  # noqa: PLR0913, PLR0917 - pytest passes the fixtures
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

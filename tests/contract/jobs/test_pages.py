"""A job's failures and its manifest, which clients read page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.contract.jobs.conftest import create, manifest, process, send, show

from blur.jobs import manifest as job_manifest
from blur.jobs.model import object_id

if TYPE_CHECKING:
    from tests.contract.conftest import Call

    from blur.jobs.runner import ObjectRunner
    from blur.storage.job_folder import JobFolder


def test_each_failure_and_each_manifest_line_is_on_exactly_one_page(
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


def test_page_of_a_manifest_with_long_lines_does_not_exceed_its_size_limit(
    call: Call, runner: ObjectRunner, folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_manifest, "MAX_PAGE_BYTES", 1_500)
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
def test_an_invalid_value_of_limit_or_after_gets_400(
    call: Call, path: str, query: dict[str, str]
) -> None:
    job = create(call)
    response = send(call, "GET", f"/v2/jobs/{job['job_id']}{path}", query=query)
    assert (response.status, response.error["code"]) == (400, "invalid_request")


def test_maximum_value_of_limit_is_accepted_and_a_value_above_it_is_rejected(call: Call) -> None:
    path = f"/v2/jobs/{create(call)['job_id']}"
    for route, most in ((path, 1_000), (f"{path}/manifest", 10_000)):
        assert send(call, "GET", route, query={"limit": str(most)}).status == 200
        rejected = send(call, "GET", route, query={"limit": str(most + 1)})
        assert f"from 1 to {most}." in rejected.error["message"]

"""The client and `bgblur jobs fetch` fetch results; files that are not images are not saved."""

from __future__ import annotations

import errno
import io
import json
import os
import threading
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from tests.integration.jobs.client.conftest import PNG, PNG_REPLY, RESULT, run
from tests.integration.jobs.scripted_api import (
    JOB_ID,
    ROUTE,
    Reply,
    ScriptedApi,
    done,
    error,
    job,
    json_reply,
    lines,
)

from bgblur.jobs.fetch import Fetch
from bgblur.jobs.fetched_files import FetchedFiles
from bgblur.jobs.progress import JobDisplay
from blur_client import Client, ConnectionFailedError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_key_is_sent_neither_to_a_bucket_nor_to_the_host_of_a_link(
    api: ScriptedApi, elsewhere: ScriptedApi, client: Client
) -> None:
    next_page = f'<{elsewhere.url}{ROUTE}/manifest?after=abc>; rel="next"'
    bucket_link = f"{elsewhere.url}/bucket/b?signature=s"
    rows = [done("a.jpg", elsewhere.url + RESULT), done("b.jpg", bucket_link)]
    api.on("GET", f"{ROUTE}/manifest", lines(rows[0], Link=next_page), lines(rows[1]))
    api.on("GET", RESULT, Reply(303, headers={"Location": f"{elsewhere.url}/bucket/a"}))
    elsewhere.on("GET", "/bucket/a", PNG_REPLY)
    elsewhere.on("GET", "/bucket/b", PNG_REPLY)
    for row in client.jobs.manifest(JOB_ID):
        file = io.BytesIO()
        assert client.jobs.fetch(JOB_ID, row, file) == "image/png"
        assert file.getvalue() == PNG
    assert [each.query for each in api.requests("GET", f"{ROUTE}/manifest")] == [
        "limit=1000",
        "limit=1000&after=abc",
    ]
    assert [each.path for each in elsewhere.seen] == ["/bucket/a", "/bucket/b"]
    assert all("apikey" not in each.headers for each in elsewhere.seen)


def test_results_in_a_bucket_are_fetched_with_one_connection_to_the_api(
    api: ScriptedApi, elsewhere: ScriptedApi, client: Client
) -> None:
    api.on("GET", f"{ROUTE}/manifest", lines(done("a.jpg", RESULT)))
    redirect = json_reply({"url": elsewhere.url}, 303, Location=f"{elsewhere.url}/bucket/a")
    api.on("GET", RESULT, redirect)
    elsewhere.on("GET", "/bucket/a", PNG_REPLY)
    [row] = client.jobs.manifest(JOB_ID)
    for _ in range(5):
        client.jobs.fetch(JOB_ID, row, io.BytesIO())
    assert (len(api.connections), len(elsewhere.connections)) == (1, 1)


def test_a_result_that_was_cut_off_is_fetched_again(api: ScriptedApi, client: Client) -> None:
    cut = Reply(200, PNG, {"Content-Type": "image/png"}, cut_at=40)
    api.on("GET", f"{ROUTE}/manifest", lines(done("a.jpg", RESULT)))
    api.on("GET", RESULT, cut, error(503, "temporarily_unavailable"), PNG_REPLY)
    (row,) = client.jobs.manifest(JOB_ID)
    file = io.BytesIO()
    client.jobs.fetch(JOB_ID, row, file)
    assert file.getvalue() == PNG
    api.on("GET", RESULT, cut)
    with pytest.raises(ConnectionFailedError, match="closed during the response"):
        client.jobs.fetch(JOB_ID, row, file)


def test_a_large_result_is_never_completely_in_memory(
    api: ScriptedApi, client: Client, tmp_path: Path
) -> None:
    size = 30_000_000
    api.on("GET", f"{ROUTE}/manifest", lines(done("a.jpg", RESULT)))
    api.on("GET", RESULT, Reply(200, bytes(size), {"Content-Type": "image/png"}))
    (row,) = client.jobs.manifest(JOB_ID)
    with (tmp_path / "a.png").open("wb+") as file:
        tracemalloc.start()
        client.jobs.fetch(JOB_ID, row, file)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert file.tell() == size
    assert peak < 3_000_000


def test_results_are_saved_only_inside_the_folder(api: ScriptedApi, tmp_path: Path) -> None:
    sources = ["../../evil.jpg", "/tmp/evil.jpg", "a\n\x1b[2J.jpg", "..", "fine/a.jpg"]  # noqa: S108 - the test does not write this path
    api.on("GET", ROUTE, json_reply(job()))
    api.on("GET", f"{ROUTE}/manifest", lines(*(done(source, RESULT) for source in sources)))
    api.on("GET", RESULT, PNG_REPLY)
    folder = tmp_path / "here" / "results"
    folder.parent.mkdir()
    fetched = run(api, folder.parent, "fetch", JOB_ID, "-o", "results")
    assert fetched.exit_code == 0, fetched.stderr
    inside = [path for path in folder.rglob("*.png") if path.is_file()]
    assert len(inside) == len(sources)
    everywhere = [path for path in tmp_path.rglob("*.png") if path.is_file()]
    assert sorted(everywhere) == sorted(inside)
    assert (folder / "fine" / "a.png").read_bytes() == PNG
    rows = list(map(json.loads, (folder / "manifest.jsonl").read_text("utf-8").splitlines()))
    assert [row["source"] for row in rows] == sources
    assert all((folder / row["file"]).is_file() for row in rows)


def test_an_interrupted_fetch_keeps_the_manifest_of_an_earlier_run(
    api: ScriptedApi, client: Client, tmp_path: Path
) -> None:
    api.on("GET", ROUTE, json_reply(job()))
    api.on("GET", f"{ROUTE}/manifest", lines(*(done(f"{name}.jpg", RESULT) for name in "ab")))
    api.on("GET", RESULT, PNG_REPLY)
    assert run(api, tmp_path, "fetch", JOB_ID, "-o", ".").exit_code == 0
    complete = (tmp_path / "manifest.jsonl").read_bytes()
    stop = threading.Event()
    with FetchedFiles(tmp_path, JOB_ID, overwrite=False) as files, JobDisplay() as display:
        fetch = Fetch(client.jobs, client.jobs.status(JOB_ID), files, display, stop)
        stop.set()
        fetch.run(1)
    assert (tmp_path / "manifest.jsonl").read_bytes() == complete
    assert list(tmp_path.glob(".*.part")) == []


def test_a_full_disk_stops_a_fetch(
    api: ScriptedApi, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the fetch continued, it would download all other results but could not save them."""
    count = 0

    def fail(*_: object) -> None:
        nonlocal count
        count += 1
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a.png")

    monkeypatch.setattr(FetchedFiles, "write", fail)
    api.on("GET", ROUTE, json_reply(job()))
    rows = [done(f"{number}.jpg", RESULT) for number in range(100)]
    api.on("GET", f"{ROUTE}/manifest", lines(*rows))
    with FetchedFiles(tmp_path, JOB_ID, overwrite=False) as files, JobDisplay() as display:
        fetch = Fetch(client.jobs, client.jobs.status(JOB_ID), files, display, threading.Event())
        with pytest.raises(OSError, match="No space left"):
            fetch.run(1)
    assert count < 10
    assert not (tmp_path / "manifest.jsonl").exists()


def test_a_result_that_is_not_an_image_is_not_saved(api: ScriptedApi, tmp_path: Path) -> None:
    page = Reply(200, b"<script>", {"Content-Type": "image/png"})
    api.on("GET", ROUTE, json_reply(job()))
    api.on("GET", f"{ROUTE}/manifest", lines(done("a.jpg", RESULT)))
    api.on("GET", RESULT, page)
    fetched = run(api, tmp_path, "fetch", JOB_ID, "-o", ".")
    assert fetched.exit_code == 1
    assert "a.jpg: the result is not an image" in fetched.stderr
    assert list(tmp_path.glob("*.png")) == []
    assert list(tmp_path.glob(".*.part")) == []

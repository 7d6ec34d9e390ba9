"""The client and its commands with servers that send errors or wrong responses."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.integration.jobs.scripted_api import (
    JOB_ID,
    KEY,
    ROUTE,
    Reply,
    ScriptedApi,
    done,
    error,
    job,
    json_reply,
    lines,
    scripted_api,
)
from tests.integration.running import BGBLUR

from bgblur.jobs.fetch import Fetch
from bgblur.jobs.fetched_files import FetchedFiles
from bgblur.jobs.progress import JobDisplay
from blur_client import BlurClientError, Client, ConnectionFailedError
from blur_client.errors import (
    ImageTooLargeError,
    InvalidApiKeyError,
    InvalidImageError,
    JobClosedError,
    UnexpectedResponseError,
)

if TYPE_CHECKING:
    from blur_client.source import Source

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
PNG_REPLY = Reply(200, PNG, {"Content-Type": "image/png"})
EXPIRED_IN_FOLDER = error(404, "upload_not_found")
EXPIRED_IN_BUCKET = Reply(403, b"<Error><Code>AccessDenied</Code></Error>")
RESULT = f"{ROUTE}/results/{'0' * 32}"
ACCEPTED = Reply(204)


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as api:
        yield api


@pytest.fixture
def elsewhere() -> Iterator[ScriptedApi]:
    """Another server, such as a bucket."""
    with scripted_api() as server:
        yield server


@pytest.fixture
def client(api: ScriptedApi) -> Iterator[Client]:
    with Client(api.url, KEY, sleep=lambda _: None) as client:
        yield client


@pytest.mark.parametrize("expired", [EXPIRED_IN_FOLDER, EXPIRED_IN_BUCKET])
def test_an_expired_form_is_renewed_once_and_the_photo_sent_again(
    expired: Reply, api: ScriptedApi, client: Client
) -> None:
    api.on("GET", ROUTE, json_reply(job("/old")), json_reply(job("/new")))
    api.on("POST", "/old", ACCEPTED, expired)
    api.on("POST", "/new", ACCEPTED)
    uploads = client.jobs.uploads(JOB_ID)
    for source in ("a.jpg", "sub/ä.jpg", "c.jpg"):
        uploads.upload(source, b"photo")
    assert [len(api.requests("POST", path)) for path in ("/old", "/new")] == [2, 2]
    assert len(api.requests("GET", ROUTE)) == 2
    forms = api.requests("POST", "/new")
    assert "jobs/job_1/sub/ä.jpg".encode() in forms[0].body
    assert all("apikey" not in form.headers for form in forms)


def test_a_closed_job_accepts_no_photo(api: ScriptedApi, client: Client) -> None:
    api.on("GET", ROUTE, json_reply(job("/form")), json_reply(job()))
    api.on("POST", "/form", EXPIRED_IN_FOLDER)
    uploads = client.jobs.uploads(JOB_ID)
    with pytest.raises(JobClosedError, match="done"):
        uploads.upload("a.jpg", b"photo")


def test_a_photo_that_is_too_large_is_not_sent(api: ScriptedApi, client: Client) -> None:
    api.on("GET", ROUTE, json_reply(job("/form")))
    with pytest.raises(ImageTooLargeError, match="1000 bytes"):
        client.jobs.uploads(JOB_ID).upload("a.jpg", b"x" * 1001)
    assert api.requests("POST", "/form") == []


def test_an_empty_file_is_not_sent(api: ScriptedApi, client: Client) -> None:
    api.on("GET", ROUTE, json_reply(job("/form")))
    with pytest.raises(InvalidImageError, match="file is empty"):
        client.jobs.uploads(JOB_ID).upload("a.jpg", b"")
    assert api.requests("POST", "/form") == []


def test_an_error_that_concerns_one_photo_does_not_stop_the_others(
    api: ScriptedApi, client: Client, tmp_path: Path
) -> None:
    api.on("GET", ROUTE, json_reply(job("/form")))
    api.on("POST", "/form", error(400, "invalid_request"), ACCEPTED)
    photos: list[tuple[str, Source]] = [
        ("bad", b"photo"),
        ("gone.jpg", tmp_path / "gone.jpg"),
        ("a.jpg", b"photo"),
    ]
    ended = list(client.jobs.uploads(JOB_ID).upload_all(photos, threads=1))
    assert {each.source: each.error is None for each in ended} == {
        "bad": False,
        "gone.jpg": False,
        "a.jpg": True,
    }


def test_an_error_that_concerns_all_photos_stops_the_upload(
    api: ScriptedApi, client: Client
) -> None:
    api.on("GET", ROUTE, json_reply(job("/form")))
    api.on("POST", "/form", error(401, "invalid_api_key"))
    photos = ((f"{number}.jpg", b"photo") for number in range(100))
    with pytest.raises(InvalidApiKeyError):
        list(client.jobs.uploads(JOB_ID).upload_all(photos, threads=2))
    assert len(api.requests("POST", "/form")) <= 8


def test_photos_are_read_only_as_fast_as_they_are_sent(api: ScriptedApi, client: Client) -> None:
    api.on("GET", ROUTE, json_reply(job("/form")))
    api.on("POST", "/form", ACCEPTED)
    taken = []

    def photos() -> Iterator[tuple[str, bytes]]:
        for number in range(200):
            taken.append(number)
            yield f"{number}.jpg", b"photo"

    ahead = [
        len(taken) - ended
        for ended, _ in enumerate(client.jobs.uploads(JOB_ID).upload_all(photos(), threads=2), 1)
    ]
    assert len(ahead) == 200
    assert max(ahead) <= 4


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


@pytest.mark.parametrize("line", [b"[1]\n", b"{}\n", b"no JSON\n"])
def test_a_line_that_is_not_a_row_is_an_error(
    line: bytes, api: ScriptedApi, client: Client
) -> None:
    api.on("GET", f"{ROUTE}/manifest", Reply(200, line))
    with pytest.raises(UnexpectedResponseError, match="not a row"):
        list(client.jobs.manifest(JOB_ID))


@pytest.mark.parametrize("document", [job(counts={}), job(counts=None), job(upload={"url": 5})])
def test_an_incomplete_job_is_an_error(
    document: dict[str, object], api: ScriptedApi, client: Client
) -> None:
    api.on("GET", ROUTE, json_reply(document))
    with pytest.raises(UnexpectedResponseError, match="missing or wrong"):
        client.jobs.status(JOB_ID)


@pytest.mark.parametrize("failures", [[{}], [None], 5])
def test_an_incomplete_failure_is_an_error(
    failures: object, api: ScriptedApi, client: Client
) -> None:
    api.on("GET", ROUTE, json_reply(job(failures=failures)))
    with pytest.raises(UnexpectedResponseError, match="missing or wrong"):
        list(client.jobs.failures(JOB_ID))


@pytest.mark.parametrize("rest", [{}, {"balance": 1, "held": 0, "usage": [], "rate_limit": 5}])
def test_an_incomplete_account_is_an_error(
    rest: dict[str, object], api: ScriptedApi, client: Client
) -> None:
    api.on("GET", "/v2/account", json_reply({"account_id": "acct_1", **rest}))
    with pytest.raises(UnexpectedResponseError, match="missing or wrong"):
        client.account()


def test_an_incomplete_form_for_an_upload_is_an_error(api: ScriptedApi) -> None:
    form = {"upload_id": "up_1", "url": "/media", "fields": [1, 2]}
    api.on("POST", "/v2/uploads", json_reply(form, 201))
    with (
        Client(api.url, KEY, upload_above_bytes=0) as client,
        pytest.raises(UnexpectedResponseError, match="missing or wrong"),
    ):
        client.blur(b"\xff\xd8\xff" + bytes(100), radius=9)


def test_failures_are_read_page_by_page(api: ScriptedApi, client: Client) -> None:
    failure = {"source": "a.jpg", "code": "no_subject", "message": "No subject."}
    first = job(failures=[failure], next="abc")
    api.on("GET", ROUTE, json_reply(first), json_reply(job(failures=[failure])))
    assert [each.code for each in client.jobs.failures(JOB_ID)] == ["no_subject"] * 2
    assert [each.query for each in api.requests("GET", ROUTE)] == ["", "after=abc"]


def test_the_secret_of_a_notification_is_not_in_the_text_of_a_job(
    api: ScriptedApi, client: Client
) -> None:
    secret = "whsec_" + "a" * 32
    created = {**job("/form"), "notify_secret": secret}
    api.on("POST", "/v2/jobs", json_reply(created, 201))
    new = client.jobs.create(radius="2%", quality=90, notify="https://example.com/hook")
    assert json.loads(api.seen[0].body) == {
        "radius": "2%",
        "quality": "90",
        "notify": "https://example.com/hook",
    }
    assert new.notify_secret == secret
    assert "whsec" not in repr(new)
    assert "token" not in repr(new)


def run(api: ScriptedApi, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `bgblur jobs` in a folder; the key is never in its output."""
    ended = subprocess.run(
        [*BGBLUR, "jobs", *arguments],
        cwd=folder,
        env={"BGBLUR_API": api.url, "BGBLUR_API_KEY": KEY, "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert KEY not in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    return ended


@pytest.mark.parametrize("json_option", [(), ("--json",)])
def test_the_command_prints_the_secret_of_the_notification(
    json_option: tuple[str, ...], api: ScriptedApi, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"photo")
    secret = "whsec_" + "a" * 32
    api.on("POST", "/v2/jobs", json_reply({**job("/form"), "notify_secret": secret}, 201))
    api.on("GET", ROUTE, json_reply(job("/form")))
    api.on("POST", "/form", ACCEPTED)
    api.on("POST", f"{ROUTE}/close", json_reply(job()))
    options = ("-r", "9", "--notify", "https://example.com/hook", *json_option)
    ended = run(api, tmp_path, "submit", ".", *options)
    assert ended.returncode == 0, ended.stderr
    assert f"Secret of its notification, shown once: {secret}" in ended.stderr
    if json_option:
        assert json.loads(ended.stdout)["notify_secret"] == secret


def test_the_reason_of_a_long_wait_is_printed(api: ScriptedApi, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"photo")
    message = "The storage for uploads is almost full."
    full = {"error": {"code": "temporarily_unavailable", "message": message, "request_id": "r"}}
    api.on("POST", "/v2/jobs", json_reply(job("/form"), 201))
    api.on("GET", ROUTE, json_reply(job("/form")))
    api.on("POST", "/form", json_reply(full, 503, **{"Retry-After": "5"}), ACCEPTED)
    api.on("POST", f"{ROUTE}/close", json_reply(job()))
    ended = run(api, tmp_path, "submit", ".", "-r", "9")
    assert ended.returncode == 0, ended.stderr
    assert f"Waiting 5 s before each new attempt: {message}" in ended.stderr


def test_for_a_job_without_progress_the_reason_is_shown(api: ScriptedApi, tmp_path: Path) -> None:
    api.on("GET", ROUTE, json_reply(job(state="paused", ended_at=None)))
    api.on("DELETE", ROUTE, json_reply(job(state="cancelled", ended_at=None)))
    assert "goes on after a top-up" in run(api, tmp_path, "status", JOB_ID).stdout
    assert "Running photos end first." in run(api, tmp_path, "cancel", JOB_ID).stdout
    api.on("GET", ROUTE, json_reply(job(state="paused", ended_at=None)), json_reply(job()))
    waited = run(api, tmp_path, "status", JOB_ID, "--wait")
    assert "goes on after a top-up" in waited.stderr
    assert "top-up" not in waited.stdout


def test_the_address_for_copies_is_shown_if_the_job_has_one(
    api: ScriptedApi, tmp_path: Path
) -> None:
    target = "s3://bucket/job-sources/job_1/"
    api.on("GET", ROUTE, json_reply(job()), json_reply(job(copy_to=target)))
    assert "copy to" not in run(api, tmp_path, "status", JOB_ID).stdout
    assert target in run(api, tmp_path, "status", JOB_ID).stdout


def test_results_never_leave_the_folder(api: ScriptedApi, tmp_path: Path) -> None:
    sources = ["../../evil.jpg", "/tmp/evil.jpg", "a\n\x1b[2J.jpg", "..", "fine/a.jpg"]  # noqa: S108 - not written
    api.on("GET", ROUTE, json_reply(job()))
    api.on("GET", f"{ROUTE}/manifest", lines(*(done(source, RESULT) for source in sources)))
    api.on("GET", RESULT, PNG_REPLY)
    folder = tmp_path / "here" / "results"
    folder.parent.mkdir()
    fetched = run(api, folder.parent, "fetch", JOB_ID, "-o", "results")
    assert fetched.returncode == 0, fetched.stderr
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
    assert run(api, tmp_path, "fetch", JOB_ID, "-o", ".").returncode == 0
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
    """Otherwise all other results would be downloaded but not saved."""
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
    assert fetched.returncode == 1
    assert "a.jpg: the result is not an image" in fetched.stderr
    assert list(tmp_path.glob("*.png")) == []
    assert list(tmp_path.glob(".*.part")) == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("status", "../secret"), 2, "is not the id of a job"),
        (("status", "unknown"), 1, "[not_found, request req_1]"),
        (("submit", "."), 2, "There is no photo in .. Use -R to search its subfolders, too."),
        (("submit", "empty", "-R"), 2, "There is no photo in empty.\n"),
        (("submit", "album"), 2, "Missing option '-r'"),
        (("submit", "album", "-r", "9", "--key", ""), 2, "BGBLUR_API_KEY"),
        (("status", "j", "--api", "example.com"), 2, "must start with https://"),
        (("status", "j", "--url", "http://127.0.0.1:9", "--key", KEY), 1, "127.0.0.1:9"),
    ],
)
def test_a_wrong_command_ends_with_the_reason(
    arguments: tuple[str, ...], code: int, message: str, api: ScriptedApi, tmp_path: Path
) -> None:
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "a.jpg").write_bytes(b"photo")
    (tmp_path / "empty").mkdir()
    ended = run(api, tmp_path, *arguments)
    assert ended.returncode == code
    assert message in ended.stderr


def test_every_error_of_the_package_has_one_base_class(api: ScriptedApi, client: Client) -> None:
    api.on("GET", ROUTE, Reply(200, b"no JSON"))
    with pytest.raises(BlurClientError):
        client.jobs.status(JOB_ID)

"""Bulk jobs on one machine: a real server, its uploads, its workers and its accounts.

All tests share one server, which has one worker. Each test has its own account.
"""

from __future__ import annotations

import io
import secrets
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import requests
from events import make
from PIL import Image
from tests.faults.balances import Balances, open_balances
from tests.integration.jobs.job_client import Document, JobClient, ended, names
from tests.integration.running import environment, running
from tests.ports import free_port

from blur.accounts.admin import AccountAdmin
from blur.accounts.connect import open_account_store
from blur.accounts.model import EntryKind
from blur.clock import now
from blur.credits import whole
from blur.jobs.model import MAX_SOURCE_BYTES
from blur.storage.job_folder import JOB_UPLOAD_PATH, JobFolder

PHOTO = make.jpeg()
PARAMETERS = {"radius": "9", "format": "png"}
QUEUE, COUNT = 5, 8
MAX_BYTES = 2_000_000
"""The size of the largest photo that the server accepts."""


@dataclass(frozen=True, slots=True)
class Server:
    """The server's address, its folder, and the address of its metrics."""

    url: str
    folder: Path
    metrics: str
    """The URL of the server's metrics."""

    def rows(self, job: Document) -> list[sqlite3.Row]:
        """Return the database rows of a job's photos."""
        query = "SELECT * FROM job_objects WHERE job_id = ?"
        with closing(sqlite3.connect(self.folder / "accounts.db")) as db:
            return db.execute(query, (job["job_id"],)).fetchall()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("jobs")
    limits = {"BLUR_JOB_FREE_BYTES": "0", "BLUR_MAX_UPLOAD_BYTES": str(MAX_BYTES)}
    env = environment(folder, model_dir, **limits)
    port = str(free_port())
    with running(folder, env, "--queue", f"{QUEUE}", "--metrics", port) as started:
        yield Server(started.url, folder, f"http://127.0.0.1:{port}/metrics")


@pytest.fixture
def balances(server: Server) -> Iterator[Balances]:
    store = open_account_store(f"sqlite:{server.folder / 'accounts.db'}")
    yield open_balances(store)
    store.close()


def blur(url: str, key: str, photo: bytes = PHOTO) -> requests.Response:
    files = {"image": ("a.jpg", photo, "image/jpeg")}
    return requests.post(
        f"{url}/v2/rembg/blur/", data=PARAMETERS, files=files, headers={"ApiKey": key}, timeout=120
    )


def test_a_photo_of_a_job_has_the_same_result_and_price_as_a_single_call(
    server: Server, balances: Balances
) -> None:
    client = JobClient(server.url, balances.key)
    job = client.create(**PARAMETERS)
    client.upload_all(job, {"a.jpg": PHOTO, "été/b c.jpg": PHOTO})
    document = client.until_ended(job, 2)
    assert document["counts"] == {
        "received": 2,
        "done": 2,
        "failed": 0,
        "cancelled": 0,
        "charged": 2,
    }
    assert balances.exact().used == 2
    lines = {line["source"]: line for line in client.manifest(job)}
    assert sorted(lines) == ["a.jpg", "été/b c.jpg"]
    single = blur(server.url, balances.key)
    assert {client.result(line) for line in lines.values()} == {single.content}
    assert balances.exact().used == 3


def test_photo_that_is_uploaded_several_times_is_charged_once(
    server: Server, balances: Balances
) -> None:
    client = JobClient(server.url, balances.key)
    job = client.create(**PARAMETERS)
    for _ in range(3):
        assert client.upload(job, "a.jpg", PHOTO).status_code == 204
    client.until_ended(job, 1)
    assert client.upload(job, "a.jpg", PHOTO).status_code == 204
    client.upload_all(job, {"b.jpg": PHOTO})
    client.until_ended(job, 2)
    assert len(client.manifest(job)) == 2
    assert balances.exact().used == 2


def test_photos_that_cannot_be_blurred_fail_without_a_charge(
    server: Server, balances: Balances
) -> None:
    client = JobClient(server.url, balances.key)
    job = client.create(**PARAMETERS)
    client.upload_all(job, {"text.jpg": b"no photo", "half.jpg": PHOTO[:500], "a.jpg": PHOTO})
    document = client.until_ended(job, 3)
    assert (document["counts"]["done"], document["counts"]["failed"]) == (1, 2)
    codes = {failure["source"]: failure["code"] for failure in document["failures"]}
    assert codes == {"text.jpg": "invalid_image", "half.jpg": "invalid_image"}
    assert balances.exact() == (9_999, 0, 1)


def test_invalid_upload_form_is_rejected_and_stores_no_photo(
    server: Server, balances: Balances
) -> None:
    client = JobClient(server.url, balances.key)
    job, other = client.create(**PARAMETERS), client.create(**PARAMETERS)
    prefix = job["upload"]["prefix"]
    too_long = "é" * (MAX_SOURCE_BYTES // 2 + 1)
    for fields, code, advice in (
        ({}, "invalid_request", "Send the field 'key' before the file"),
        ({"key": "a.jpg"}, "invalid_request", "and a name of 1 to"),
        ({"key": prefix}, "invalid_request", "and a name of 1 to"),
        ({"key": prefix + too_long}, "invalid_request", "and a name of 1 to"),
        ({"key": other["upload"]["prefix"] + "a.jpg"}, "invalid_request", prefix),
        ({"key": prefix + "a.jpg", "token": "x"}, "upload_not_found", "returns a new one"),
    ):
        refused = client.send(job, fields, PHOTO)
        assert refused.json()["error"]["code"] == code, fields
        assert advice in refused.json()["error"]["message"]
        assert refused.headers["X-Credits-Charged"] == "0"
    twice = [*job["upload"]["fields"].items(), ("key", prefix + "a"), ("key", ".jpg")]
    refused = requests.post(
        f"{server.url}{JOB_UPLOAD_PATH}", data=twice, files={"file": PHOTO}, timeout=60
    )
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request")
    large = client.upload(job, "large.jpg", PHOTO.ljust(MAX_BYTES + 1, b"!"))
    assert large.json()["error"]["code"] == "image_too_large"
    empty = client.upload(job, "empty.jpg", b"")
    assert empty.json()["error"]["code"] == "invalid_request"
    files = JobFolder(server.folder / "media")
    assert [*files.list_sources(job["job_id"]), *files.list_sources(other["job_id"])] == []
    assert [*server.rows(job), *server.rows(other)] == []


@pytest.mark.parametrize("end", ["close", "cancel"])
def test_closed_or_cancelled_job_accepts_no_photo(
    end: str, server: Server, balances: Balances
) -> None:
    client = JobClient(server.url, balances.key)
    job = client.create(**PARAMETERS)
    getattr(client, end)(job)
    refused = client.upload(job, "a.jpg", PHOTO)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "job_closed")
    assert list(JobFolder(server.folder / "media").list_sources(job["job_id"])) == []


def test_job_without_credits_pauses_and_is_completed_after_a_top_up(
    server: Server, balances: Balances
) -> None:
    poor = open_balances(balances.store, put_in=2)
    client = JobClient(server.url, poor.key)
    job = client.create(**PARAMETERS)
    client.upload_all(job, dict.fromkeys(names(5), PHOTO))
    client.close(job)
    client.until(job, lambda seen: seen["state"] == "paused")
    client.until_ended(job, 2)
    assert poor.exact() == (0, 0, 2)
    assert blur(server.url, balances.key).status_code == 200
    admin = AccountAdmin(poor.store, secrets.token_bytes, now())
    admin.add_ledger_entry(poor.account_id, EntryKind.TOP_UP, whole(3), "more")
    document = client.until(job, lambda seen: seen["state"] == "done")
    assert (document["counts"]["done"], document["counts"]["charged"]) == (5, 5)


def large_photo() -> bytes:
    """Return a photo that takes a worker about half a second."""
    buffer = io.BytesIO()
    with Image.open(make.PHOTO) as photo:
        photo.convert("RGB").resize((1800, 1200)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def test_photos_of_jobs_are_not_in_the_queue_of_calls_and_are_claimed_after_the_calls(
    server: Server, balances: Balances
) -> None:
    """The server has one worker. Calls fill its queue while photos of a job wait; no call fails."""
    slots, photo = QUEUE + 1, large_photo()
    with ThreadPoolExecutor(slots) as threads:
        client = JobClient(server.url, balances.key)
        job = client.create(**PARAMETERS)
        client.upload_all(job, dict.fromkeys(names(COUNT), photo))
        before = ended(client.until_ended(job, 1))
        calls = list(threads.map(partial(blur, server.url), [balances.key] * slots))
        assert [call.status_code for call in calls] == [200] * slots
        after = ended(client.show(job))
        # The worker was processing one photo when the calls arrived. It can claim two more: one
        # just before the first call and one just after the last call.
        assert after <= before + 3
        client.until_ended(job, COUNT)
        assert balances.exact().used == COUNT + slots


def test_server_is_ready_and_its_queue_is_empty_while_a_worker_processes_a_photo_of_a_job(
    server: Server, balances: Balances
) -> None:
    client = JobClient(server.url, balances.key)
    job = client.create(**PARAMETERS)
    client.upload_all(job, dict.fromkeys(names(2), large_photo()))
    deadline = time.monotonic() + 60
    while not gauge(server.metrics, "bgblur_workers_on_jobs"):
        assert time.monotonic() < deadline
    assert gauge(server.metrics, "bgblur_queue_photos") == 0
    assert requests.get(f"{server.url}/ready", timeout=30).status_code == 200
    client.until_ended(job, 2)


def gauge(url: str, name: str) -> float:
    text = requests.get(url, timeout=30).text
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])

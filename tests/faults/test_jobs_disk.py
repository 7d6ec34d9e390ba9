"""Bulk jobs with a full disk, or with locked, damaged or unreadable files: charges are exact."""

from __future__ import annotations

import io
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from events import make
from PIL import Image
from tests.faults.disks import full_by_limit, locked, without_privileges
from tests.faults.processes import descendants, require_gone
from tests.faults.responses import require_error
from tests.integration.jobs.job_client import Document, JobClient, ended, names
from tests.integration.running import running

from blur.clock import now
from blur.jobs.model import object_id
from blur.jobs.sqlite.job_store import SqliteJobStore
from blur.storage.job_folder import JobFolder

if TYPE_CHECKING:
    import requests
    from tests.faults.balances import Balances

PHOTO = make.jpeg()
LARGEST_BYTES = 1_000_000
"""The maximum size of each file that the server writes: enough for the accounts' file, but only for
a third of the large photo."""
UNAVAILABLE = "temporarily_unavailable"
HOLD_S = "60"
WAIT_S = 60


@pytest.fixture
def lenient_env(env: dict[str, str]) -> dict[str, str]:
    """Return the environment of a server with long time limits: no slow worker is killed."""
    return env | {"BLUR_HOLD_TTL_S": HOLD_S, "BLUR_JOB_FREE_BYTES": "0"}


def test_a_photo_that_does_not_fit_on_the_disk_leaves_no_file_and_can_be_sent_again(
    tmp_path: Path, disk: Path, lenient_env: dict[str, str], balances: Balances
) -> None:
    photo = large_photo()
    with running(tmp_path, lenient_env, under=without_privileges()) as server:
        client = JobClient(server.url, balances.key)
        job = client.create(radius="9")
        with full_by_limit(server.process.pid, largest=LARGEST_BYTES):
            assert code_of(client.upload(job, "a.png", photo)) == UNAVAILABLE
        media = disk / "media"
        assert [*media.glob("job-parts/*"), *media.glob("jobs/*/sources/*")] == []
        assert attempts(disk) == {}
        assert client.upload(job, "a.png", photo).status_code == 204
        client.close(job)
        require_done(client, job, balances, done=1)


def test_an_unreadable_photo_fails_after_three_attempts_and_is_not_charged(
    tmp_path: Path, disk: Path, lenient_env: dict[str, str], balances: Balances
) -> None:
    with running(tmp_path, lenient_env) as server:
        client = JobClient(server.url, balances.key)
        job = client.create(radius="9")
        sources = disk / "media" / "jobs" / job["job_id"] / "sources"
        (sources / object_id("unreadable.jpg")).mkdir(parents=True)
        with closing(SqliteJobStore(disk / "accounts.db")) as jobs:
            for name in ("unreadable.jpg", "deleted.jpg"):
                assert jobs.add_object(job["job_id"], name, now_us=now())
        client.upload_all(job, {"a.jpg": PHOTO})
        client.close(job)
        client.until_ended(job, 3)
        lines = {line["source"]: line for line in client.manifest(job)}
    assert {source: line["code"] for source, line in lines.items()} == {
        "a.jpg": None,
        "deleted.jpg": "upload_not_found",
        "unreadable.jpg": UNAVAILABLE,
    }
    assert attempts(disk) == {"a.jpg": 1, "deleted.jpg": 1, "unreadable.jpg": 3}
    assert balances.exact() == (9_999, 0, 1)


def test_a_photo_whose_result_cannot_be_stored_is_tried_again_and_charged_once(
    tmp_path: Path, disk: Path, lenient_env: dict[str, str], balances: Balances
) -> None:
    with running(tmp_path, lenient_env) as server:
        client = JobClient(server.url, balances.key)
        job = client.create(radius="9")
        with replaced_by_a_file(disk / "media" / "jobs" / job["job_id"] / "results"):
            client.upload_all(job, {"a.jpg": PHOTO})
            client.close(job)
            deadline = time.monotonic() + WAIT_S
            while attempts(disk).get("a.jpg", 0) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        require_done(client, job, balances, done=1)
        (line,) = client.manifest(job)
        with Image.open(io.BytesIO(client.result(line))) as result:
            result.load()


def test_photos_wait_while_the_disk_is_almost_full_and_then_continue(
    tmp_path: Path, disk: Path, lenient_env: dict[str, str], balances: Balances
) -> None:
    free_bytes = str(1 << 62)
    with running(tmp_path, lenient_env | {"BLUR_JOB_FREE_BYTES": free_bytes}) as server:
        client = JobClient(server.url, balances.key)
        job = client.create(radius="9")
        with JobFolder(disk / "media").writing_source(job["job_id"], "a.jpg") as file:
            file.write(PHOTO)
        with closing(SqliteJobStore(disk / "accounts.db")) as jobs:
            assert jobs.add_object(job["job_id"], "a.jpg", now_us=now())
        client.close(job)
        log = tmp_path / "server.log"
        deadline = time.monotonic() + WAIT_S
        while "photos of jobs wait, because the disk is almost full" not in log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert attempts(disk) == {"a.jpg": 0}
    with running(tmp_path, lenient_env) as server:
        require_done(JobClient(server.url, balances.key), job, balances, done=1)


def test_a_locked_store_rejects_an_upload_but_all_photos_are_processed_after_a_retry(
    tmp_path: Path, disk: Path, lenient_env: dict[str, str], balances: Balances
) -> None:
    with running(tmp_path, lenient_env) as server:
        client = JobClient(server.url, balances.key)
        job = client.create(radius="9")
        client.upload_all(job, dict.fromkeys(names(4), PHOTO))
        with locked(disk / "accounts.db"):
            assert code_of(client.upload(job, "late.jpg", PHOTO)) == UNAVAILABLE
        assert client.upload(job, "late.jpg", PHOTO).status_code == 204
        client.close(job)
        require_done(client, job, balances, done=5)


def test_a_damaged_store_rejects_photos_and_a_restored_store_continues_the_job(
    tmp_path: Path, disk: Path, lenient_env: dict[str, str], balances: Balances
) -> None:
    accounts = disk / "accounts.db"
    with running(tmp_path, lenient_env) as server:
        client = JobClient(server.url, balances.key)
        job = client.create(radius="9")
        client.upload_all(job, dict.fromkeys(names(4), PHOTO))
        members = descendants(server.process.pid)
    require_gone(members)
    balances.store.close()
    sound = without_journal(accounts)
    accounts.write_bytes(sound[:4096] + b"\xa5" * (len(sound) - 4096))
    with running(tmp_path, lenient_env) as server:
        client = JobClient(server.url, balances.key)
        assert code_of(client.upload(job, "late.jpg", PHOTO)) == UNAVAILABLE
        assert code_of(client.call("POST", "/v2/jobs", json={})) == UNAVAILABLE
        members = descendants(server.process.pid)
    require_gone(members)
    for path in accounts.parent.glob("accounts.db*"):
        path.unlink()
    accounts.write_bytes(sound)
    with running(tmp_path, lenient_env) as server:
        client = JobClient(server.url, balances.key)
        assert client.upload(job, "late.jpg", PHOTO).status_code == 204
        client.close(job)
        require_done(client, job, balances, done=5)


def without_journal(accounts: Path) -> bytes:
    """Write the write-ahead log into the accounts' database file, and return the file's content."""
    with closing(sqlite3.connect(accounts)) as db:
        assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    assert not accounts.with_name("accounts.db-wal").exists()
    return accounts.read_bytes()


def require_done(client: JobClient, job: Document, balances: Balances, *, done: int) -> None:
    """Require that every photo of a closed job is done and charged once."""
    document = client.until(job, lambda seen: seen["state"] == "done")
    assert (ended(document), document["counts"]["done"]) == (done, done)
    assert len(client.manifest(job)) == done
    assert balances.exact() == (10_000 - done, 0, done)


def code_of(response: requests.Response) -> str:
    """Check that the response is a documented error, and return its code."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return require_error(response.status_code, headers, response.json()["error"])


def attempts(disk: Path) -> dict[str, int]:
    """Return how often workers have claimed each photo."""
    with closing(sqlite3.connect(disk / "accounts.db")) as db:
        return dict(db.execute("SELECT source, attempts FROM job_objects"))


def large_photo() -> bytes:
    """Return a photo of several megabytes."""
    buffer = io.BytesIO()
    with Image.open(make.PHOTO) as photo:
        photo.convert("RGB").resize((1000, 1000)).save(buffer, "PNG", compress_level=0)
    return buffer.getvalue()


@contextmanager
def replaced_by_a_file(folder: Path) -> Iterator[None]:
    """Replace a folder with a file until the end of the `with` block."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("not a folder")
    try:
        yield
    finally:
        folder.unlink()

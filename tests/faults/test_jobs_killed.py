"""The server or a worker is killed, or the server is stopped, during a bulk job.

Afterwards every photo has one final row and at most one charge. The job's manifest, the audit of
the accounts and the usage of the key agree. At small size, the trial with kills of a worker and the
trials with a large photo use the real network, and the others a quick network.
"""

from __future__ import annotations

import io
import os
import signal
import sqlite3
import time
from contextlib import closing
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
from events import make
from PIL import Image
from tests.faults.conftest import HOLD_TTL_S
from tests.faults.processes import descendants, require_gone, workers
from tests.faults.until import until_done
from tests.integration.jobs.job_client import Document, JobClient, ended, names
from tests.integration.running import running
from tests.trials import FULL, Part, record, size

from blur.accounts.model import usage_month
from blur.clock import now
from blur.credits import credits_number
from blur.jobs.runner import MAX_ATTEMPTS
from blur.storage.job_folder import JobFolder

if TYPE_CHECKING:
    from tests.faults.balances import Balances

PHOTO = make.jpeg()
PHOTOS = size(80, full=200)
FEW_PHOTOS = size(10, full=40)
"""The number of photos that the real network processes while workers are killed."""
KILLS = size(2, full=10)
LONGEST_LIFE_S = size(0.3, full=3.0)
STOP_S = 60


@pytest.mark.timeout(900)
def test_a_server_restarted_after_a_kill_continues_its_jobs_and_charges_each_photo_once(
    tmp_path: Path, env: dict[str, str], balances: Balances
) -> None:
    random = Random(7)
    env |= {"BLUR_JOB_FREE_BYTES": "0", "BLUR_JOB_WORKERS": "2"}
    with running(tmp_path, env, "--workers", "2") as server:
        client = JobClient(server.url, balances.key)
        job = client.create(radius="9")
        client.upload_all(job, dict.fromkeys(names(PHOTOS), PHOTO))
        client.close(job)
        kill(server.process.pid)
    for _ in range(KILLS - 1):
        with running(tmp_path, env, "--workers", "2") as server:
            client = JobClient(server.url, balances.key)
            client.until_ended(job, ended(client.show(job)) + 2)
            time.sleep(LONGEST_LIFE_S * random.random())
            kill(server.process.pid)
        assert FULL or waiting(tmp_path), "the job was already done"
    with running(tmp_path, env, "--workers", "2") as server:
        client = JobClient(server.url, balances.key)
        document = until_done(client, job)
        lines = client.manifest(job)
    require_exact(document, lines, balances, done=PHOTOS)
    assert sorted(line["source"] for line in lines) == sorted(names(PHOTOS))
    record(
        Part.FAULTS,
        "kill -9 of the server during a bulk job",
        f"{KILLS} kills, {PHOTOS} photos",
        f"each photo has one row and one charge; manifest, audit and usage agree on "
        f"{document['counts']['charged']} credits",
        by="tests/faults/test_jobs_killed.py",
    )


@pytest.mark.timeout(900)
def test_a_killed_worker_loses_no_photo_of_a_job(
    tmp_path: Path, real_env: dict[str, str], balances: Balances
) -> None:
    kills = MAX_ATTEMPTS - 1  # no photo fails, even if all kills hit the same photo
    # A photo that reaches its time limit would use up the last attempt. On a busy machine, a photo
    # can take longer than `HOLD_TTL_S`.
    settings = {"BLUR_JOB_FREE_BYTES": "0", "BLUR_HOLD_TTL_S": "60"}
    with running(tmp_path, real_env | settings) as server:
        client = JobClient(server.url, balances.key)
        job = client.create(radius="9")
        client.upload_all(job, dict.fromkeys(names(FEW_PHOTOS), PHOTO))
        client.close(job)
        for _ in range(kills):
            client.until_ended(job, ended(client.show(job)) + 1)
            os.kill(workers(server.process.pid)[0], signal.SIGKILL)
        document = until_done(client, job)
        lines = client.manifest(job)
    require_exact(document, lines, balances, done=FEW_PHOTOS)


@pytest.mark.timeout(900)
def test_a_photo_whose_worker_is_killed_in_every_attempt_fails_and_the_job_ends(
    tmp_path: Path, real_env: dict[str, str], balances: Balances
) -> None:
    """The test kills the worker in each attempt, as a crash in a decoder would."""
    with running(tmp_path, real_env | {"BLUR_JOB_FREE_BYTES": "0"}) as server:
        client = JobClient(server.url, balances.key)
        job = client.create(radius="9")
        client.upload_all(job, {"poisoned.jpg": large_photo()})
        client.close(job)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            wait_for_attempt(tmp_path, attempt)
            os.kill(workers(server.process.pid)[0], signal.SIGKILL)
        document = until_done(client, job)
        assert document["failures"][0]["code"] == "internal_error"
        lines = client.manifest(job)
    require_exact(document, lines, balances, done=0)


@pytest.mark.timeout(900)
def test_a_photo_that_was_stored_but_not_added_to_its_job_is_added_after_the_job_is_closed(
    tmp_path: Path, env: dict[str, str], balances: Balances
) -> None:
    """A server killed after storing a photo, but before adding it to its job, leaves this state."""
    with running(tmp_path, env | {"BLUR_JOB_FREE_BYTES": "0"}) as server:
        client = JobClient(server.url, balances.key)
        job = client.create(radius="9")
        with JobFolder(tmp_path / "disk" / "media").writing_source(
            job["job_id"], "lost.jpg"
        ) as file:
            file.write(PHOTO)
        client.upload_all(job, {"a.jpg": PHOTO})
        client.close(job)
        document = until_done(client, job)
        lines = client.manifest(job)
    require_exact(document, lines, balances, done=2)


@pytest.mark.timeout(900)
def test_a_stopping_server_finishes_started_photos_and_continues_the_job_after_a_restart(
    tmp_path: Path, env: dict[str, str], balances: Balances
) -> None:
    photos = 30
    env |= {"BLUR_JOB_FREE_BYTES": "0"}
    with running(tmp_path, env, "--workers", "2") as server:
        client = JobClient(server.url, balances.key)
        job = client.create(radius="9")
        client.upload_all(job, dict.fromkeys(names(photos), PHOTO))
        client.close(job)
        client.until_ended(job, 2)
        members = descendants(server.process.pid)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(STOP_S) in {0, -signal.SIGTERM}
    require_gone(members)
    stopped = balances.exact()
    assert stopped.held == 0
    assert stopped.used < photos
    assert leases(tmp_path) == []
    with running(tmp_path, env, "--workers", "2") as server:
        client = JobClient(server.url, balances.key)
        document = until_done(client, job)
        lines = client.manifest(job)
    require_exact(document, lines, balances, done=photos)


@pytest.mark.timeout(900)
def test_a_stopping_server_releases_a_photo_that_is_not_finished_in_time(
    tmp_path: Path, real_env: dict[str, str], balances: Balances
) -> None:
    short = real_env | {"BLUR_JOB_FREE_BYTES": "0", "BLUR_STOP_S": "1", "BLUR_HOLD_TTL_S": "60"}
    with running(tmp_path, short) as server:
        client = JobClient(server.url, balances.key)
        job = client.create(radius="9")
        client.upload_all(job, {"large.jpg": large_photo()})
        client.close(job)
        wait_for_attempt(tmp_path, 1)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(STOP_S) in {0, -signal.SIGTERM}
    assert leases(tmp_path) == []
    with running(tmp_path, short) as server:
        client = JobClient(server.url, balances.key)
        document = until_done(client, job)
        lines = client.manifest(job)
    require_exact(document, lines, balances, done=1)


def kill(pid: int) -> None:
    """Kill a server, and wait until its workers have also ended."""
    members = descendants(pid)
    os.kill(pid, signal.SIGKILL)
    require_gone(members)


@cache
def large_photo() -> bytes:
    """Return a photo that takes a worker more than a second."""
    buffer = io.BytesIO()
    with Image.open(make.PHOTO) as photo:
        photo.convert("RGB").resize((5000, 4000)).save(buffer, "JPEG")
    return buffer.getvalue()


def wait_for_attempt(folder: Path, attempt: int) -> None:
    """Wait until workers have claimed the job's only photo this number of times."""
    deadline = time.monotonic() + STOP_S
    with closing(sqlite3.connect(folder / "disk" / "accounts.db")) as db:
        while db.execute("SELECT attempts FROM job_objects").fetchall() < [(attempt,)]:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def waiting(folder: Path) -> int:
    """Return the number of photos without a final state."""
    with closing(sqlite3.connect(folder / "disk" / "accounts.db")) as db:
        (count,) = db.execute("SELECT count(*) FROM job_objects WHERE state = 'waiting'").fetchone()
        return int(count)


def leases(folder: Path) -> list[tuple[str, int]]:
    """Return the source and attempts of each waiting photo with a lease or a counted attempt."""
    with closing(sqlite3.connect(folder / "disk" / "accounts.db")) as db:
        return db.execute(
            "SELECT source, attempts FROM job_objects"
            " WHERE state = 'waiting' AND (leased_until_us > 0 OR attempts > 0)"
        ).fetchall()


def require_exact(
    document: Document, lines: list[Document], balances: Balances, *, done: int
) -> None:
    """Require that the job, its manifest, the account and the usage of its key agree."""
    assert len({line["source"] for line in lines}) == len(lines)
    price = credits_number(balances.price)
    by_line = [line["credits"] for line in lines if line["state"] == "done"]
    assert by_line == [price] * done
    counts = document["counts"]
    assert (counts["received"], counts["done"]) == (len(lines), done)
    assert counts["charged"] == sum(by_line)
    assert balances.settled(after_s=HOLD_TTL_S) == done
    (usage,) = balances.store.list_usage(usage_month(now()), now_us=now())
    assert sum(key.counts.calls for key in usage.keys) == done
    assert sum(key.counts.credits for key in usage.keys) == done * balances.price

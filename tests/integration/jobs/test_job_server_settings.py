"""Bulk jobs on one machine: settings of the server, and commands that use its database."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults.balances import Balances, open_balances
from tests.integration.jobs.job_client import JobClient, names
from tests.integration.jobs.test_job_server import PARAMETERS, PHOTO, blur
from tests.integration.running import BGBLUR, environment, running
from tests.integration.storage.conftest import issue

from blur.accounts.connect import open_account_store


@pytest.fixture
def env(tmp_path: Path, counting_models: Path) -> dict[str, str]:
    return environment(tmp_path, counting_models, BLUR_JOB_FREE_BYTES="0")


@pytest.fixture
def balances(env: dict[str, str]) -> Iterator[Balances]:
    store = open_account_store(env["BLUR_ACCOUNTS"])
    yield open_balances(store)
    store.close()


def test_commands_that_open_and_close_the_database_do_not_lose_the_servers_writes(
    tmp_path: Path, env: dict[str, str]
) -> None:
    key = issue(env)

    def used() -> float:
        shown = subprocess.run(
            [*BGBLUR, "accounts", "list", "--json"], env=env, capture_output=True, check=True
        )
        return float(json.loads(shown.stdout)[0]["used"])

    with running(tmp_path, env) as server:
        client = JobClient(server.url, key)
        for photos in (1, 2, 3):
            job = client.create(**PARAMETERS)
            client.upload(job, "a.jpg", PHOTO)
            client.until_ended(job, 1)
            assert used() == photos
        assert blur(server.url, key).status_code == 200
        assert used() == photos + 1


def test_server_with_too_little_free_disk_space_accepts_no_photo_of_a_job(
    tmp_path: Path, env: dict[str, str], balances: Balances
) -> None:
    with running(tmp_path, env | {"BLUR_JOB_FREE_BYTES": str(1 << 62)}) as server:
        client = JobClient(server.url, balances.key)
        job = client.create(**PARAMETERS)
        refused = client.upload(job, "a.jpg", PHOTO)
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "temporarily_unavailable"
        assert refused.headers["Retry-After"]
        assert blur(server.url, balances.key).status_code == 200
        assert client.show(job)["counts"]["received"] == 0


def test_after_a_job_is_cancelled_only_its_finished_photos_are_charged(
    tmp_path: Path, env: dict[str, str], balances: Balances
) -> None:
    short = env | {"BLUR_HOLD_TTL_S": "10", "BLUR_DEADLINE_MARGIN_S": "1"}
    with running(tmp_path, short) as server:
        client = JobClient(server.url, balances.key)
        job = client.create(**PARAMETERS)
        client.upload_all(job, dict.fromkeys(names(30), PHOTO))
        client.until_ended(job, 1)
        assert client.cancel(job)["state"] == "cancelled"
        document = client.until(job, lambda seen: seen["ended_at"] is not None)
        counts = document["counts"]
        assert counts["cancelled"] > 0
        assert counts["done"] + counts["cancelled"] == counts["received"] == 30
        assert balances.exact() == (10_000 - counts["done"], 0, counts["done"])
        by_state = Counter(line["state"] for line in client.manifest(job))
        assert by_state == {"done": counts["done"], "cancelled": counts["cancelled"]}

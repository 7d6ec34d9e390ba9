"""`kill -9` ends `bgblur jobs`, the server and workers while a folder is processed.

The same commands are started again. Afterwards each photo has one result, one line in the manifest
and one charge, and the manifest, the balance, the audit and the usage agree. The same trial runs on
one machine and on the emulated AWS services.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.aws.aws_engine import api_environment, aws_engine
from tests.faults.job_commands import RESULTS, Shop, uploaded, wait_for
from tests.faults.until import SELDOM_S
from tests.integration.jobs.album import fill_album, number_of
from tests.integration.jobs.disc_model import write_disc_model
from tests.integration.jobs.job_client import ended
from tests.integration.jobs.served_api import require_bill, served
from tests.integration.running import environment
from tests.trials import Part, record, size

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.accounts.dynamodb_local import DynamoDBLocal
    from tests.integration.jobs.served_api import ServedApi

pytestmark = pytest.mark.usefixtures("long_timeouts")

PHOTOS = size(100, full=200)
PARALLEL = 2


@pytest.mark.timeout(900)
def test_every_photo_is_processed_on_one_machine_although_the_commands_and_the_server_are_killed(
    tmp_path: Path,
) -> None:
    settings = {"BLUR_JOB_FREE_BYTES": "0", "BLUR_JOB_WORKERS": "2", "BLUR_HOLD_TTL_S": "12"}
    settings |= {"BLUR_DEADLINE_MARGIN_S": "1", "BLUR_INFERENCE_THREADS": "1"}
    env = environment(tmp_path, write_disc_model(tmp_path), **settings)
    with served(tmp_path, env, "--workers", "2") as api:
        complete_folder(tmp_path, api, kill_one=api.restart)
    record_trial("on one machine", "each command is killed once, and the server twice")


@pytest.mark.timeout(900)
def test_every_photo_is_processed_on_aws_although_commands_and_a_worker_and_the_server_are_killed(
    tmp_path: Path, dynamodb: DynamoDBLocal
) -> None:
    models = write_disc_model(tmp_path)
    table = dynamodb.create_table("killed-commands")
    with aws_engine(tmp_path, dynamodb, table, models) as engine:
        env = api_environment(engine, tmp_path, dynamodb, models)
        with served(tmp_path, env) as api, engine.scheduled_keeper():

            def kill_worker_and_server() -> None:
                engine.kill_worker()
                api.restart()

            complete_folder(tmp_path, api, kill_one=kill_worker_and_server)
    record_trial(
        "on emulated AWS services",
        "each command is killed once; a worker and the server are killed twice",
    )


def complete_folder(folder: Path, api: ServedApi, *, kill_one: Callable[[], None]) -> None:
    """Send a folder and fetch its results. Kill each command once, and call `kill_one` twice."""
    numbers = fill_album(folder / "album", PHOTOS)
    shop = Shop(folder, api, api.issue())
    job_id = shop.create_and_kill(PHOTOS // 5)
    before = uploaded(job_id)

    def kill_at_half() -> None:
        wait_for(lambda: uploaded(job_id) >= PHOTOS // 2)
        kill_one()

    again = ("submit", "album", "-R", "--job", job_id)
    sent = shop.complete(*again, "--parallel", str(PARALLEL), during=kill_at_half)
    assert sent["uploaded"] + sent["skipped"] == PHOTOS
    assert sent["skipped"] >= before, "a photo that was already recorded as sent was sent again"

    wait_for(lambda: ended(shop.job(job_id)) >= PHOTOS // 2, pause_s=SELDOM_S)
    fetch = ("fetch", job_id, "-o", RESULTS)
    first = shop.start(*fetch, "--parallel", "1")
    shop.kill_when(first, lambda: len(shop.results()) >= PHOTOS // 10)
    some = len(shop.results())

    def kill_after_more() -> None:
        wait_for(lambda: len(shop.results()) > some)
        kill_one()

    shop.complete(*fetch, during=kill_after_more)
    fetched = shop.complete(*fetch, "--wait")
    assert fetched["fetched"] + fetched["skipped"] == PHOTOS
    assert fetched["skipped"] >= PHOTOS // 10

    job, results, rows = shop.job(job_id), shop.results(), shop.manifest()
    assert {name: number_of(path.read_bytes()) for name, path in results.items()} == numbers
    assert shop.leftovers() == []
    assert sorted(row["source"] for row in rows) == sorted(numbers)
    assert {(row["state"], row["credits"]) for row in rows} == {("done", 1)}
    assert job["counts"] == {
        "received": PHOTOS,
        "done": PHOTOS,
        "failed": 0,
        "cancelled": 0,
        "charged": PHOTOS,
    }
    require_bill(api, shop.buyer, rows)


def record_trial(engine: str, kills: str) -> None:
    """Record the successful trial; `engine` states where the job was processed."""
    record(
        Part.FAULTS,
        f"kill -9 of `bgblur jobs submit` and `bgblur jobs fetch` {engine}, and a restart of both",
        f"{PHOTOS} photos; {kills}",
        f"{PHOTOS} results, each of the right photo; manifest, balance, audit and usage agree on "
        f"{PHOTOS} credits",
        by="tests/faults/test_job_commands_killed.py",
    )

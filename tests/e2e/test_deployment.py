"""The deployed stack, from the first key to the deletion of the stack.

The emulator provides the API, the queue, the bucket, the table and the schedule. The functions are
containers of the built image, with the permissions of their roles. docs/operations.md lists the
differences from AWS.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import requests
from events import make
from PIL import Image
from tests.aws.ministack import wait_until
from tests.e2e.account import empty_bucket, resources_of
from tests.e2e.album import Album, write_album
from tests.e2e.deployed_job import TIMEOUT_S, WAIT_S, Job, sizes_of
from tests.e2e.deployment import Deployment, delete, update

from blur.accounts import keys

if TYPE_CHECKING:
    from pathlib import Path

REDELIVERY_S = 20
"""The queue delivers the photo of a killed worker again after this many seconds; the template sets
360 seconds."""
CREDITS = 300


@pytest.fixture(scope="module")
def deployment(deploying: Callable[[], Deployment]) -> Iterator[Deployment]:
    deployed = deploying()
    yield deployed
    deployed.close()  # a fixture checks that no containers are left


@pytest.fixture
def key(deployment: Deployment, issued: list[str]) -> str:
    """Return a key of a new account."""
    key = deployment.issue_key(CREDITS)
    issued.append(key)
    return key


@pytest.fixture
def album(tmp_path: Path) -> Iterator[Album]:
    """Write the photos to a folder; remove it, because a later test searches files for photos."""
    folder = tmp_path / "album"
    yield write_album(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def results(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "results"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def blurred_upload(deployment: Deployment, key: str) -> requests.Response:
    """Upload the sample photo with a presigned form, and blur the upload."""
    headers, photo = {"ApiKey": key}, make.jpeg()
    document = {"content_type": "image/jpeg", "bytes": len(photo)}
    uploads, blur = f"{deployment.url}/v2/uploads", f"{deployment.url}/v2/rembg/blur/"
    offered = requests.post(uploads, headers=headers, json=document, timeout=TIMEOUT_S)
    assert offered.status_code == 201, offered.text
    form = offered.json()
    sent = requests.post(form["url"], data=form["fields"], files={"file": photo}, timeout=TIMEOUT_S)
    assert sent.ok, sent.text
    fields = {"upload_id": (None, form["upload_id"]), "radius": (None, "12")}
    return requests.post(blur, headers=headers, files=fields, timeout=TIMEOUT_S)


def test_the_deployed_api_is_healthy_and_serves_the_page(deployment: Deployment) -> None:
    health = requests.get(f"{deployment.url}/health", timeout=TIMEOUT_S)
    assert (health.status_code, health.json()["status"]) == (200, "ok"), deployment.log()
    page = requests.get(f"{deployment.url}/", headers={"Accept": "text/html"}, timeout=TIMEOUT_S)
    assert (page.status_code, "<h1>" in page.text) == (200, True)


def test_an_uploaded_photo_is_blurred_with_a_key_from_the_documented_commands(
    deployment: Deployment, key: str
) -> None:
    answer = blurred_upload(deployment, key)
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Credits-Remaining"] == str(CREDITS - 1)
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert (picture.format, picture.size) == ("PNG", (192, 192))


def test_a_photo_in_the_request_is_blurred(deployment: Deployment, key: str) -> None:
    answer = requests.post(
        f"{deployment.url}/v2/rembg/blur/",
        headers={"ApiKey": key},
        files={"image": ("photo.jpg", make.jpeg(), "image/jpeg")},
        data={"radius": "12"},
        timeout=TIMEOUT_S,
    )
    assert answer.status_code == 200, answer.text
    assert answer.content == blurred_upload(deployment, key).content


def test_a_job_of_200_photos_has_one_manifest_line_for_each_photo_and_a_correct_bill(
    deployment: Deployment, key: str, album: Album, results: Path
) -> None:
    job = Job(deployment, key, album)
    job.set_redelivery(REDELIVERY_S)
    job.submit()
    job.send_duplicates()
    job.kill_workers()
    job.wait_until_ended()
    lines = job.fetch(results)

    assert {name: line["code"] for name, line in lines.items() if line["code"]} == album.codes
    assert {line["state"] for name, line in lines.items() if name in album.codes} == {"failed"}
    assert {line["state"] for name, line in lines.items() if name in album.sizes} == {"done"}
    assert sizes_of(results, lines) == album.sizes
    done, failed = len(album.sizes), len(album.codes)
    counts = {"received": done + failed, "done": done, "failed": failed, "charged": done}
    assert {name: job.state()["counts"][name] for name in counts} == counts
    assert sum(line["credits"] for line in lines.values()) == done

    export = deployment.outputs["FirstKey1"]
    account_id = keys.parse(key).account_id
    show = f".venv/bin/bgblur accounts show {account_id} --json"
    account = json.loads(deployment.operate(export, show))
    assert (account["balance"], account["held"], account["used"]) == (CREDITS - done, 0, done)
    deployment.operate(export, f".venv/bin/bgblur accounts audit {account_id}")
    assert deployment.invoke("AuditFunction")["differences"] == 0
    usage = deployment.operate(export, ".venv/bin/bgblur usage --csv")
    (bill,) = (row for row in csv.DictReader(io.StringIO(usage)) if row["account"] == account_id)
    assert (bill["calls"], bill["credits"], bill["failures"]) == (str(done), str(done), str(failed))


def test_an_update_changes_a_parameter_and_keeps_the_accounts(
    deployment: Deployment, key: str
) -> None:
    before = blurred_upload(deployment, key)
    assert before.headers["X-Credits-Charged"] == "1"
    outputs, ids = update(deployment, Price="2")
    assert outputs == deployment.outputs
    assert ids["BlurFunction"] == deployment.ids["BlurFunction"]
    after = blurred_upload(deployment, key)
    assert after.status_code == 200, deployment.log()
    assert after.headers["X-Credits-Charged"] == "2"
    assert after.headers["X-Credits-Remaining"] == str(CREDITS - 3)
    assert after.content == before.content


def test_the_schedule_runs_the_keeper(deployment: Deployment) -> None:
    group, own = deployment.ids["JobKeeperLogGroup"], deployment.calls["JobKeeperFunction"]
    logs = deployment.client("logs")

    def runs() -> int:
        return len(logs.describe_log_streams(logGroupName=group)["logStreams"])

    wait_until(lambda: runs() > own, WAIT_S, deployment.log)


def test_the_documented_teardown_leaves_only_the_role_for_gateway_logs(
    deployment: Deployment,
) -> None:
    table = deployment.outputs["Table"]
    empty_bucket(deployment)
    deletion_began = time.time()
    delete(deployment)
    assert resources_of(deployment, deletion_began) == {
        "role": {deployment.ids["GatewayLogRole"]},
        "table": {table},
    }
    dynamodb = deployment.client("dynamodb")
    with pytest.raises(dynamodb.exceptions.ClientError, match="protection"):
        dynamodb.delete_table(TableName=table)
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=table)
    remaining = resources_of(deployment, deletion_began)
    assert remaining == {"role": {deployment.ids["GatewayLogRole"]}}

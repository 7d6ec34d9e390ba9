"""Jobs on the emulated AWS services, from the HTTP routes to the event at the end of a job."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from events import make
from tests.aws.aws_engine import TIMEOUT_S, api_environment
from tests.aws.ministack import wait_until
from tests.integration.accounts.customer import GENEROUS
from tests.integration.accounts.spending import with_retries
from tests.integration.availability import until_available
from tests.integration.running import running

from blur.accounts import keys
from blur.accounts.admin import AccountAdmin
from blur.accounts.audit import differences
from blur.accounts.model import EntryKind, KeyKind
from blur.clock import now
from blur.credits import whole
from blur.jobs.sqs import EVENT_SOURCE

if TYPE_CHECKING:
    from tests.aws.aws_engine import Engine
    from tests.integration.accounts.dynamodb_local import DynamoDBLocal

PHOTO = make.jpeg()
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Client:
    """A customer who sends requests to the API."""

    url: str
    key: str
    engine: Engine

    def send(self, method: str, path: str, document: object = None) -> requests.Response:
        """Send a request with the key."""
        url, headers = f"{self.url}{path}", {"ApiKey": self.key}
        response = until_available(
            lambda: requests.request(
                method, url, headers=headers, json=document, timeout=60, allow_redirects=False
            )
        )
        assert response.status_code < 400, response.text
        return response

    def create(self, photos: dict[str, bytes]) -> str:
        """Create a job and upload photos; return the job's id."""
        job = self.send("POST", "/v2/jobs", {"radius": "2%"}).json()
        upload = job["upload"]
        for name, data in photos.items():
            form = {**upload["fields"], "key": upload["prefix"] + name}
            sent = requests.post(upload["url"], data=form, files={"file": data}, timeout=30)
            assert sent.status_code == 204, sent.text
        return str(job["job_id"])

    def job(self, job_id: str) -> dict[str, Any]:
        """Return the document of the job."""
        document: dict[str, Any] = self.send("GET", f"/v2/jobs/{job_id}").json()
        return document

    def wait_until_paused(self, job_id: str) -> None:
        """Wait until the job is paused and the queue is empty."""
        wait_until(lambda: self.job(job_id)["state"] == "paused", TIMEOUT_S, self.engine.log)
        self.engine.wait_for_empty_queue()

    def keep_until_done(self, job_id: str) -> dict[str, Any]:
        """Run the keeper repeatedly, as a schedule does on AWS, until the job is done."""

        def keep() -> bool:
            self.engine.run_keeper()
            return bool(self.job(job_id)["state"] == "done")

        wait_until(keep, TIMEOUT_S, self.engine.log)
        return self.job(job_id)


@pytest.fixture(scope="module")
def server(
    engine: Engine,
    tmp_path_factory: pytest.TempPathFactory,
    dynamodb: DynamoDBLocal,
    model_dir: Path,
) -> Iterator[str]:
    """Start an API that uses the stack's table and bucket."""
    folder = tmp_path_factory.mktemp("server")
    with running(folder, api_environment(engine, folder, dynamodb, model_dir)) as started:
        yield started.url


@pytest.fixture
def client(engine: Engine, server: str) -> Client:
    """Return the client of a customer with three credits."""
    return with_retries(partial(new_client, engine, server))


def new_client(engine: Engine, url: str) -> Client:
    admin = AccountAdmin(engine.accounts, secrets.token_bytes, now())
    account_id = admin.create_account("A shop", credits=whole(3))
    key, _ = admin.issue_key(account_id, KeyKind.LIVE, limit=GENEROUS)
    return Client(url, key, engine)


def test_results_of_a_job_are_charged_and_all_its_photos_are_in_the_manifest(
    client: Client, engine: Engine
) -> None:
    job_id = client.create({"a/1.jpg": PHOTO, "b 2.jpg": PHOTO, "broken.jpg": PHOTO[:500]})
    assert client.job(job_id)["copy_to"] == f"s3://{engine.stack.bucket}/job-sources/{job_id}/"
    assert client.send("POST", f"/v2/jobs/{job_id}/close").json()["state"] == "closed"
    job = client.keep_until_done(job_id)
    counts = {"received": 3, "done": 2, "failed": 1, "cancelled": 0, "charged": 2}
    assert job["counts"] == counts
    ((source, code),) = ((each["source"], each["code"]) for each in job["failures"])
    assert (source, code) == ("broken.jpg", "invalid_image")

    manifest = client.send("GET", f"/v2/jobs/{job_id}/manifest").text.splitlines()
    lines = {line["source"]: line for line in map(json.loads, manifest)}
    assert {name: (line["state"], line["credits"]) for name, line in lines.items()} == {
        "a/1.jpg": ("done", 1),
        "b 2.jpg": ("done", 1),
        "broken.jpg": ("failed", 0),
    }
    for name in ("a/1.jpg", "b 2.jpg"):
        path = lines[name]["result"].removeprefix(client.url)
        redirect = client.send("GET", path)
        assert redirect.status_code == 303
        assert requests.get(redirect.headers["Location"], timeout=30).content.startswith(PNG)
    account_id = keys.parse(client.key).account_id
    read = engine.accounts.read_with_ledger(account_id, now_us=now())
    assert list(differences(read.account, read.entries)) == []
    assert (read.account.used, read.account.held) == (whole(2), 0)


def test_a_paused_job_is_completed_after_a_top_up(client: Client, engine: Engine) -> None:
    photos = {f"{number}.jpg": PHOTO for number in range(5)}
    job_id = client.create(photos)
    client.wait_until_paused(job_id)
    engine.run_keeper()
    assert client.job(job_id)["counts"]["done"] == 3
    assert client.job(job_id)["state"] == "paused"
    admin = AccountAdmin(engine.accounts, secrets.token_bytes, now())
    account_id = keys.parse(client.key).account_id
    admin.add_ledger_entry(account_id, EntryKind.TOP_UP, whole(5), "invoice 1")
    client.send("POST", f"/v2/jobs/{job_id}/close")
    assert client.keep_until_done(job_id)["counts"]["charged"] == 5


def test_the_end_of_a_job_is_an_event_that_the_documented_pattern_matches(
    client: Client, engine: Engine
) -> None:
    (pattern,) = re.findall(r'^{"source".+}$', OPERATIONS.read_text("utf-8"), re.MULTILINE)
    received = engine.subscribe("bulk-ended", pattern)
    job_id = client.create({"1.jpg": PHOTO})
    client.send("POST", f"/v2/jobs/{job_id}/close")
    job = client.keep_until_done(job_id)

    def arrived() -> list[dict[str, Any]]:
        return [each for each in received() if each["detail"]["job_id"] == job_id]

    wait_until(arrived, TIMEOUT_S, engine.log)
    (event,) = arrived()
    assert (event["source"], event["detail"]["state"]) == (EVENT_SOURCE, "done")
    assert event["detail"]["counts"] == job["counts"]

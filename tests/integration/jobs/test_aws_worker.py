"""Photos go from the bucket by the queue to the worker, in ministack; accounts in DynamoDB Local.

The template's own stack is deployed, with processes instead of images.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import requests
from events import make
from tests.integration.accounts.customer import open_account
from tests.integration.accounts.spending import with_retries
from tests.integration.jobs.job_owner import JobOwner, new_job, require_exact, rows_of
from tests.integration.jobs.ministack import ministack, wait_until
from tests.integration.jobs.stack import Stack, deploy

from blur.accounts.connect import open_account_store
from blur.clock import now
from blur.errors import UploadNotFoundError
from blur.jobs.connect import open_job_store
from blur.jobs.model import JobObject, ObjectState, object_id
from blur.storage.job_bucket import JobBucket, source_prefix

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.accounts.dynamodb_local import DynamoDBLocal

    from blur.accounts.ports import AccountStore
    from blur.jobs.ports import JobStore

PATIENCE_S = 120
VISIBILITY_S = 6
PHOTO = make.jpeg()
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Engine:
    """The deployed stack, and the stores behind it."""

    stack: Stack
    accounts: AccountStore
    jobs: JobStore
    files: JobBucket

    def open_job(self, credits_in: int = 100, **parameters: str) -> JobOwner:
        """Open an account of so many quarters of a credit, with a job."""
        customer = with_retries(partial(open_account, self.accounts, credits_in))
        job = replace(
            new_job(customer, created_us=now()), parameters={"radius": "2%", **parameters}
        )
        self.jobs.create_job(job)
        return JobOwner(customer, job.job_id)

    def upload(self, owner: JobOwner, sources: dict[str, bytes]) -> None:
        """Upload photos by a presigned form, as clients do."""
        form = self.files.presign_sources(owner.job_id, max_bytes=10**6, now_us=now())
        for source, data in sources.items():
            fields = {**form.fields, "key": form.prefix + source}
            sent = requests.post(form.url, data=fields, files={"file": data}, timeout=30)
            assert sent.status_code == 204, sent.text

    def send(self, *bodies: str) -> None:
        """Send messages, as S3 and the keeper do."""
        sqs = self.stack.emulator.client("sqs")
        for body in bodies:
            sqs.send_message(QueueUrl=self.stack.queue_url, MessageBody=body)

    def wait_for_rows(self, owner: JobOwner, count: int) -> dict[str, JobObject]:
        """Wait for so many final rows, and return them by their sources."""
        find = partial(with_retries, partial(self.jobs.find_job, owner.job_id))
        wait_until(lambda: find().counts.ended >= count, PATIENCE_S, self.log)
        return {row.source: row for row in rows_of(self.jobs, owner.job_id)}

    def wait_for_empty_queue(self) -> None:
        """Wait until no message is in the queue, and none is with a worker."""
        wait_until(lambda: not self.stack.message_count(self.stack.queue_url), PATIENCE_S, self.log)

    def log(self) -> str:
        """Return the log of the emulator and its functions."""
        return self.stack.emulator.log.read_text()


@pytest.fixture(scope="module")
def engine(
    tmp_path_factory: pytest.TempPathFactory,
    dynamodb: DynamoDBLocal,
    dynamodb_table: str,
    model_dir: Path,
) -> Iterator[Engine]:
    """The stack; its accounts are in the table of the other tests."""
    location = f"dynamodb:{dynamodb_table}"
    with ministack(tmp_path_factory.mktemp("ministack")) as emulator:
        variables = {
            "AWS_ENDPOINT_URL_DYNAMODB": dynamodb.endpoint_url,
            "AWS_ENDPOINT_URL_S3": emulator.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "BLUR_ACCOUNTS": location,
            "BLUR_INFERENCE_THREADS": "1",
            "BLUR_MODEL_DIR": str(model_dir),
        }
        stack = deploy(emulator, visibility_s=VISIBILITY_S, variables=variables)
        accounts, jobs = open_account_store(location), open_job_store(location)
        yield Engine(stack, accounts, jobs, JobBucket(stack.bucket, emulator.client("s3")))
        jobs.close()
        accounts.close()


@pytest.fixture
def owner(engine: Engine) -> JobOwner:
    return engine.open_job()


def test_every_uploaded_photo_gets_one_row_and_is_charged_once_or_not_at_all(
    engine: Engine, owner: JobOwner
) -> None:
    good = [f"folder/photo {number} ü+&.jpg" for number in range(4)]
    photos = {**dict.fromkeys(good, PHOTO), "broken.jpg": PHOTO[:500], "text.jpg": b"not a photo"}
    engine.upload(owner, photos)
    rows = engine.wait_for_rows(owner, len(photos))
    assert set(rows) == set(photos)
    assert {source: rows[source].state for source in good} == dict.fromkeys(good, ObjectState.DONE)
    for source in ("broken.jpg", "text.jpg"):
        assert (rows[source].state, rows[source].code) == (ObjectState.FAILED, "invalid_image")
    for source in good:
        link = engine.files.link_result(owner.job_id, object_id(source), now_us=now())
        result = requests.get(link.url, timeout=30)
        assert result.content.startswith(PNG)
        assert result.headers["Content-Type"] == "image/png"
    with pytest.raises(UploadNotFoundError):
        engine.files.read_result(owner.job_id, object_id("broken.jpg"))
    account = require_exact(engine.accounts, engine.jobs, owner, now())
    assert (account.used, account.held) == (4 * len(good), 0)


def test_a_message_that_is_delivered_five_times_is_one_charge_and_one_result(
    engine: Engine, owner: JobOwner
) -> None:
    engine.upload(owner, {"photo.jpg": PHOTO})
    engine.send(*[json.dumps({"job_id": owner.job_id, "source": "photo.jpg"})] * 4)
    engine.wait_for_rows(owner, 1)
    engine.wait_for_empty_queue()
    account = require_exact(engine.accounts, engine.jobs, owner, now())
    assert (account.used, account.held) == (4, 0)
    assert engine.jobs.find_job(owner.job_id).counts.ended == 1


def test_messages_of_unknown_jobs_and_test_events_leave_the_queue(engine: Engine) -> None:
    test_event: dict[str, Any] = {"Service": "Amazon S3", "Event": "s3:TestEvent"}
    engine.send(json.dumps(test_event), json.dumps({"job_id": "job_none", "source": "a.jpg"}))
    s3 = engine.stack.emulator.client("s3")
    s3.put_object(Bucket=engine.stack.bucket, Key=f"{source_prefix('job_none')}b.jpg", Body=b"1")
    engine.wait_for_empty_queue()
    assert engine.stack.message_count(engine.stack.dead_letters_url) == 0

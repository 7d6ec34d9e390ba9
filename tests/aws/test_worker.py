"""Photos go from the bucket through the queue to the worker; the accounts are in DynamoDB Local.

The stack of the template is deployed; its functions run as processes instead of containers.
ministack enforces the policies of the functions' roles for the bucket, the queue and the event bus.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
import requests
from events import make
from tests.aws.aws_engine import TIMEOUT_S, Engine
from tests.aws.ministack import wait_until
from tests.integration.jobs.job_owner import JobOwner, require_exact

from blur.clock import now
from blur.errors import UploadNotFoundError
from blur.jobs.model import ObjectState, object_id
from blur.storage.job_bucket import source_prefix

PHOTO = make.jpeg()
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def owner(engine: Engine) -> JobOwner:
    return engine.open_job()


def test_each_uploaded_photo_gets_one_final_row_and_only_photos_with_results_are_charged(
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


def test_a_message_delivered_five_times_causes_one_charge_and_one_result(
    engine: Engine, owner: JobOwner
) -> None:
    engine.upload(owner, {"photo.jpg": PHOTO})
    engine.send(*[json.dumps({"job_id": owner.job_id, "source": "photo.jpg"})] * 4)
    engine.wait_for_rows(owner, 1)
    engine.wait_for_empty_queue()
    account = require_exact(engine.accounts, engine.jobs, owner, now())
    assert (account.used, account.held) == (4, 0)
    assert engine.jobs.find_job(owner.job_id).counts.ended == 1


def test_a_message_with_an_unknown_format_is_in_the_dead_letter_queue_after_its_last_delivery(
    engine: Engine,
) -> None:
    sqs, stack = engine.stack.emulator.client("sqs"), engine.stack
    name = ["RedrivePolicy"]
    own = sqs.get_queue_attributes(QueueUrl=stack.queue_url, AttributeNames=name)["Attributes"]
    policy = json.loads(own["RedrivePolicy"])
    assert int(policy["maxReceiveCount"]) == 10
    sooner = {"RedrivePolicy": json.dumps({**policy, "maxReceiveCount": 1})}
    sqs.set_queue_attributes(QueueUrl=stack.queue_url, Attributes=sooner)
    try:
        engine.send('{"unknown": "message"}')
        dead = partial(stack.message_count, stack.dead_letters_url)
        wait_until(dead, TIMEOUT_S, engine.log)
    finally:
        sqs.set_queue_attributes(QueueUrl=stack.queue_url, Attributes=own)
    (message,) = sqs.receive_message(QueueUrl=stack.dead_letters_url)["Messages"]
    assert message["Body"] == '{"unknown": "message"}'
    sqs.purge_queue(QueueUrl=stack.dead_letters_url)


def test_messages_of_unknown_jobs_and_test_events_are_removed_from_the_queue(
    engine: Engine,
) -> None:
    test_event: dict[str, Any] = {"Service": "Amazon S3", "Event": "s3:TestEvent"}
    engine.send(json.dumps(test_event), json.dumps({"job_id": "job_none", "source": "a.jpg"}))
    s3 = engine.stack.emulator.client("s3")
    s3.put_object(Bucket=engine.stack.bucket, Key=f"{source_prefix('job_none')}b.jpg", Body=b"1")
    engine.wait_for_empty_queue()
    assert engine.stack.message_count(engine.stack.dead_letters_url) == 0

"""A job of thousands of photos on the emulated AWS services, with many kinds of faults.

The bucket, the queues and the worker are deployed from the template and run in ministack. The
accounts are in DynamoDB Local. Only the model is a stub. Some photos are invalid, some kill every
worker, and some kill one worker at one step. For some photos the store is unavailable, and some
messages are repeated or lost. In the middle of the job, the account has no credits left.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.aws.ministack import PYTHONPATH, ROOT, ministack
from tests.aws.stack import Stack, deploy
from tests.faults.simulated_job import PRICE, TIMEOUT_S, SimulatedJob
from tests.faults.simulated_worker import METHODS, POISON, STORE
from tests.integration.accounts.customer import open_account
from tests.integration.accounts.spending import with_retries
from tests.integration.jobs.job_owner import JobOwner, new_job, require_exact, rows_of
from tests.trials import Part, record, size

from blur.accounts.connect import open_account_store
from blur.clock import now
from blur.jobs.connect import open_job_store
from blur.jobs.model import ObjectState
from blur.jobs.sqs import ObjectQueue
from blur.storage.job_bucket import JobBucket

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.accounts.dynamodb_local import DynamoDBLocal


pytestmark = pytest.mark.usefixtures("long_timeouts")

OBJECTS = size(100, full=10_000)
SEED = 20
BROKEN_SHARE = 0.04
POISON_SHARE = 0.01
KILLED_SHARE = 0.03
UNAVAILABLE_SHARE = 0.05
LOST_SHARE = 0.01
"""The share of photos for which the message is lost."""
FUNDS_SHARE = 0.5
"""The share of photos that the account can pay for before the job pauses."""
VISIBILITY_S = size(6, full=20)


def sources(random: Random) -> list[str]:
    """Return the names of the photos; each begins with the photo's kind of fault or `good`."""
    killed = [f"killed-{method}-{when}" for method in METHODS for when in ("before", "after")]
    unavailable = [f"unavailable-{method}" for method in STORE]
    names = {"killed": killed, "unavailable": unavailable}
    faults = ["broken", POISON, *names, "good"]
    weights = [BROKEN_SHARE, POISON_SHARE, KILLED_SHARE, UNAVAILABLE_SHARE]
    chosen = random.choices(faults, [*weights, 1 - sum(weights)], k=OBJECTS)
    exact = (random.choice(names.get(each, [each])) for each in chosen)
    return [f"{name}/{number:05}.png" for number, name in enumerate(exact)]


@pytest.fixture
def location(dynamodb: DynamoDBLocal) -> str:
    """Return the location of a separate table, because a keeper reads all jobs of a table."""
    return f"dynamodb:{dynamodb.create_table('simulated-job')}"


@pytest.fixture
def stack(tmp_path: Path, dynamodb: DynamoDBLocal, location: str) -> Iterator[Stack]:
    with ministack(tmp_path) as emulator:
        variables = {
            "PYTHONPATH": f"{ROOT}{os.pathsep}{PYTHONPATH}",
            "AWS_ENDPOINT_URL_DYNAMODB": dynamodb.endpoint_url,
            "AWS_ENDPOINT_URL_S3": emulator.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "BLUR_ACCOUNTS": location,
            "BLUR_INFERENCE_THREADS": "1",
        }
        handler = "tests.faults.simulated_worker.handler"
        yield deploy(emulator, visibility_s=VISIBILITY_S, variables=variables, worker=handler)


@pytest.fixture
def trial(stack: Stack, location: str) -> Iterator[SimulatedJob]:
    accounts, jobs = open_account_store(location), open_job_store(location)
    funds = round(OBJECTS * FUNDS_SHARE) * PRICE
    customer = with_retries(partial(open_account, accounts, funds))
    job = replace(new_job(customer, created_us=now()), parameters={"radius": "2"})
    with_retries(partial(jobs.create_job, job))
    yield SimulatedJob(
        stack,
        accounts,
        jobs,
        JobBucket(stack.bucket, stack.emulator.client("s3")),
        ObjectQueue(stack.queue_url, stack.emulator.client("sqs")),
        JobOwner(customer, job.job_id),
        Random(SEED),
    )
    jobs.close()
    accounts.close()


@pytest.mark.timeout(TIMEOUT_S)
def test_every_photo_of_a_large_job_has_one_row_and_is_charged_once_or_not_at_all(
    trial: SimulatedJob,
) -> None:
    names = sources(trial.random)
    lost = [name for name in names if trial.random.random() < LOST_SHARE]
    trial.upload_without_messages(lost)
    trial.upload(sorted(set(names) - set(lost)))
    copies = trial.send_copies(names)
    trial.wait_until_paused()
    trial.wait_for_empty_queue()
    assert trial.job().counts.ended < OBJECTS
    require_exact(trial.accounts, trial.jobs, trial.owner, now())
    trial.top_up(OBJECTS * PRICE)
    trial.jobs.close_job(trial.owner.job_id, now_us=now())
    trial.keep_until(lambda: trial.job().ended_us is not None)
    ended = trial.job()
    copies += trial.send_copies(names)
    trial.wait_for_empty_queue()

    rows = {row.source: row for row in rows_of(trial.jobs, trial.owner.job_id)}
    assert sorted(rows) == sorted(names)
    expected = {name: expected_end(name) for name in names}
    assert {name: (row.state, row.code) for name, row in rows.items()} == expected
    done = sum(state is ObjectState.DONE for state, _ in expected.values())
    assert {row.charged for row in rows.values() if row.state is ObjectState.DONE} == {PRICE}
    account = require_exact(trial.accounts, trial.jobs, trial.owner, now())
    assert (account.used, account.held) == (done * PRICE, 0)
    assert trial.job().counts == ended.counts
    assert (ended.counts.received, ended.counts.done) == (OBJECTS, done)
    assert trial.stack.message_count(trial.stack.dead_letters_url) == 0
    kinds = Counter(name.partition("/")[0].partition("-")[0] for name in names)
    record(
        Part.FAULTS,
        "A bulk job on emulated AWS services, with invalid photos, killed workers, an unavailable"
        " store, lost and repeated messages, and a pause because credits are missing",
        f"{OBJECTS:,} photos: {kinds['broken']} invalid, {kinds[POISON]} that kill every worker,"
        f" {kinds['killed']} that kill one worker, {kinds['unavailable']} for which the store is"
        f" unavailable; {len(lost)} lost and {copies} repeated messages",
        f"{done:,} done and charged once, {OBJECTS - done} failed and free; none missing",
        by="tests/faults/test_jobs_simulation.py",
    )


def expected_end(name: str) -> tuple[ObjectState, str | None]:
    """Return the final state of a photo, and the code of its error."""
    if name.startswith("broken"):
        return ObjectState.FAILED, "invalid_image"
    if name.startswith(POISON):
        return ObjectState.FAILED, "internal_error"
    return ObjectState.DONE, None

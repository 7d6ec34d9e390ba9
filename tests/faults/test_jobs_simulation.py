"""A job of thousands of photos on the engine of AWS, with everything that can go wrong in a queue.

Bucket, queue, worker and dead letters are ministack's, deployed from the template; the accounts are
in DynamoDB Local. Only the model is a stub. Some photos are broken, some kill every worker, some
kill one worker at one step, some find the store unavailable, some messages are delivered several
times or not at all, and the credits end in the middle.
"""

from __future__ import annotations

import io
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from tests.faults.simulated_worker import METHODS, POISON, STORE
from tests.integration.accounts.customer import open_account
from tests.integration.accounts.spending import with_retries
from tests.integration.jobs.job_owner import JobOwner, new_job, require_exact, rows_of
from tests.integration.jobs.ministack import PYTHONPATH, ROOT, ministack, wait_until
from tests.integration.jobs.stack import Stack, deploy
from tests.trials import Part, record, size

from blur.accounts.admin import AccountAdmin
from blur.accounts.connect import open_account_store
from blur.accounts.model import EntryKind
from blur.clock import now
from blur.credits import Credits
from blur.errors import UnavailableError
from blur.jobs.connect import open_job_store
from blur.jobs.keeper import JobKeeper
from blur.jobs.model import ObjectState
from blur.jobs.sqs import ObjectQueue
from blur.storage.job_bucket import JobBucket, source_prefix

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.accounts.dynamodb_local import DynamoDBLocal

    from blur.accounts.model import Account
    from blur.accounts.ports import AccountStore
    from blur.jobs.model import Job
    from blur.jobs.ports import JobStore

OBJECTS = size(100, full=10_000)
SEED = 20
BROKEN_SHARE = 0.04
POISON_SHARE = 0.01
KILLED_SHARE = 0.03
UNAVAILABLE_SHARE = 0.05
LOST_SHARE = 0.01
"""Photos whose message gets lost."""
COPIES_SHARE = 0.1
"""Messages that are delivered up to four more times."""
FUNDS_SHARE = 0.5
"""Photos that can be paid before the job pauses."""
PRICE = 4
VISIBILITY_S = size(6, full=20)
RETRY_S = 12
PERIOD_S = 2
PATIENCE_S = size(600, full=7_200)


def photo() -> bytes:
    """Return a photo on which the stub finds a subject."""
    file = io.BytesIO()
    Image.new("RGB", (16, 12), (10, 20, 30)).save(file, "PNG")
    return file.getvalue()


def sources(random: Random) -> list[str]:
    """Return the names of the photos; a name begins with the photo's fault."""
    killed = [f"killed-{method}-{when}" for method in METHODS for when in ("before", "after")]
    unavailable = [f"unavailable-{method}" for method in STORE]
    names = {"killed": killed, "unavailable": unavailable}
    faults = ["broken", POISON, *names, "good"]
    weights = [BROKEN_SHARE, POISON_SHARE, KILLED_SHARE, UNAVAILABLE_SHARE]
    chosen = random.choices(faults, [*weights, 1 - sum(weights)], k=OBJECTS)
    exact = (random.choice(names.get(each, [each])) for each in chosen)
    return [f"{name}/{number:05}.png" for number, name in enumerate(exact)]


@pytest.fixture
def stack(tmp_path: Path, dynamodb: DynamoDBLocal, dynamodb_table: str) -> Iterator[Stack]:
    with ministack(tmp_path) as emulator:
        variables = {
            "PYTHONPATH": f"{ROOT}{os.pathsep}{PYTHONPATH}",
            "AWS_ENDPOINT_URL_DYNAMODB": dynamodb.endpoint_url,
            "AWS_ENDPOINT_URL_S3": emulator.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "BLUR_ACCOUNTS": f"dynamodb:{dynamodb_table}",
            "BLUR_INFERENCE_THREADS": "1",
        }
        handler = "tests.faults.simulated_worker.handler"
        yield deploy(emulator, visibility_s=VISIBILITY_S, variables=variables, worker=handler)


@dataclass(frozen=True, slots=True)
class Trial:
    """A job with its photos, and everything that works on it except the workers."""

    stack: Stack
    accounts: AccountStore
    jobs: JobStore
    files: JobBucket
    queue: ObjectQueue
    owner: JobOwner
    random: Random

    def job(self) -> Job:
        """Return the job now."""
        return with_retries(partial(self.jobs.find_job, self.owner.job_id))

    def upload(self, names: Iterable[str]) -> None:
        """Put photos into the bucket, as an operator copies them."""
        s3, good, prefix = self.stack.emulator.client("s3"), photo(), self.prefix()

        def put(name: str) -> None:
            data = good[:30] if name.startswith("broken") else good
            s3.put_object(Bucket=self.stack.bucket, Key=prefix + name, Body=data)

        with ThreadPoolExecutor(4) as executor:
            list(executor.map(put, names))

    def upload_without_messages(self, names: Iterable[str]) -> None:
        """Put photos into the bucket whose events get lost."""
        s3, bucket = self.stack.emulator.client("s3"), self.stack.bucket
        events = s3.get_bucket_notification_configuration(Bucket=bucket)
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        self.upload(names)
        kept = {"QueueConfigurations": events["QueueConfigurations"]}
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=kept)

    def send_copies(self, names: Sequence[str]) -> int:
        """Deliver some photos again, up to four times; return the number of copies."""
        again = [name for name in names if self.random.random() < COPIES_SHARE]
        copies = [name for name in again for _ in range(self.random.randint(1, 4))]
        self.random.shuffle(copies)
        self.queue.enqueue(self.owner.job_id, copies)
        return len(copies)

    def top_up(self, credits_in: int) -> None:
        """Add credits to the account."""
        admin = AccountAdmin(self.accounts, secrets.token_bytes, now())
        account_id = self.owner.customer.account_id
        admin.add_ledger_entry(account_id, EntryKind.TOP_UP, Credits(credits_in), "invoice 1")

    def keep_until(self, holds: Callable[[], bool]) -> None:
        """Run the keeper at its intervals, until this is true."""
        keeper = self.keeper()

        def step() -> bool:
            with suppress(UnavailableError):  # DynamoDB Local can be slow on a busy machine
                keeper.run()
            time.sleep(PERIOD_S)
            return holds()

        wait_until(step, PATIENCE_S, lambda: str(self.job()))

    def keeper(self) -> JobKeeper:
        """Return a keeper with short intervals."""
        errors: list[Exception] = []
        return JobKeeper(
            jobs=self.jobs,
            files=self.files,
            can_pay=lambda _: self.account().balance >= PRICE,
            enqueue=self.queue.enqueue,
            is_idle=self.queue.is_idle,
            announce=lambda _: None,
            notify=lambda _: True,
            clock=now,
            period_s=PERIOD_S,
            retry_s=RETRY_S,
            worker_s=60,
            on_error=errors.append,
        )

    def account(self) -> Account:
        """Return the account now."""
        account_id = self.owner.customer.account_id
        return with_retries(lambda: self.accounts.read_account(account_id, now_us=now()))

    def prefix(self) -> str:
        """Return the prefix of the job's photos."""
        return source_prefix(self.owner.job_id)

    def wait_for_empty_queue(self) -> None:
        """Wait until no message is in the queue, and none is with a worker."""
        url = self.stack.queue_url
        count = partial(self.stack.message_count, url)
        wait_until(lambda: not count(), PATIENCE_S, lambda: f"{count()} messages")


@pytest.fixture
def trial(stack: Stack, dynamodb_table: str) -> Iterator[Trial]:
    location = f"dynamodb:{dynamodb_table}"
    accounts, jobs = open_account_store(location), open_job_store(location)
    funds = round(OBJECTS * FUNDS_SHARE) * PRICE
    customer = with_retries(partial(open_account, accounts, funds))
    job = replace(new_job(customer, created_us=now()), parameters={"radius": "2"})
    with_retries(partial(jobs.create_job, job))
    yield Trial(
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


@pytest.mark.timeout(PATIENCE_S)
def test_every_photo_of_a_large_job_has_one_row_and_is_charged_once_or_not_at_all(
    trial: Trial,
) -> None:
    names = sources(trial.random)
    lost = [name for name in names if trial.random.random() < LOST_SHARE]
    trial.upload_without_messages(lost)
    trial.upload(sorted(set(names) - set(lost)))
    copies = trial.send_copies(names)
    wait_until(lambda: trial.job().is_paused, PATIENCE_S, lambda: str(trial.job()))
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
    expected = {name: ends(name) for name in names}
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
        "A bulk job in bucket, queue and workers, with broken and poisonous photos, killed workers,"
        " an unavailable store, lost and repeated messages, and a pause without credits",
        f"{OBJECTS:,} photos: {kinds['broken']} broken, {kinds[POISON]} that kill each worker,"
        f" {kinds['killed']} that kill one, {kinds['unavailable']} without a store;"
        f" {len(lost)} lost and {copies} repeated messages",
        f"{done:,} done and charged once, {OBJECTS - done} failed and free; none missing",
        by="tests/faults/test_jobs_simulation.py",
    )


def ends(name: str) -> tuple[ObjectState, str | None]:
    """Return how a photo ends, and the code of its error."""
    if name.startswith("broken"):
        return ObjectState.FAILED, "invalid_image"
    if name.startswith(POISON):
        return ObjectState.FAILED, "internal_error"
    return ObjectState.DONE, None

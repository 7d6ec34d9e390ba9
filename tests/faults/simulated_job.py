"""The job of a simulation, with a client, an operator and a keeper, but without workers."""

from __future__ import annotations

import io
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from PIL import Image
from tests.aws.ministack import wait_until
from tests.integration.accounts.spending import with_retries
from tests.trials import size

from blur.accounts.admin import AccountAdmin
from blur.accounts.model import EntryKind
from blur.clock import now
from blur.credits import Credits
from blur.errors import UnavailableError
from blur.jobs.keeper import JobKeeper
from blur.storage.job_bucket import JobBucket, source_prefix

if TYPE_CHECKING:
    from tests.aws.stack import Stack
    from tests.integration.jobs.job_owner import JobOwner

    from blur.accounts.model import Account
    from blur.accounts.ports import AccountStore
    from blur.jobs.model import Job
    from blur.jobs.ports import JobStore
    from blur.jobs.sqs import ObjectQueue

COPIES_SHARE = 0.1
"""The share of messages that are sent again, one to four times each."""
PRICE = 4
RETRY_S = 12
PAUSE_S = 0.5
"""The pause between two checks of the job or the queue: each check takes CPU time."""
PERIOD_S = 2
TIMEOUT_S = size(600, full=7_200)


def photo() -> bytes:
    """Return a photo in which the stub of the model finds a subject."""
    file = io.BytesIO()
    Image.new("RGB", (16, 12), (10, 20, 30)).save(file, "PNG")
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class SimulatedJob:
    """A job with its photos, and everything that processes the job except the workers."""

    stack: Stack
    accounts: AccountStore
    jobs: JobStore
    files: JobBucket
    queue: ObjectQueue
    owner: JobOwner
    random: Random

    def job(self) -> Job:
        """Return the current state of the job."""
        return with_retries(partial(self.jobs.find_job, self.owner.job_id))

    def upload(self, names: Iterable[str]) -> None:
        """Put photos directly into the bucket, as an operator can."""
        s3, good, prefix = self.stack.emulator.client("s3"), photo(), self.prefix()

        def put(name: str) -> None:
            data = good[:30] if name.startswith("broken") else good
            s3.put_object(Bucket=self.stack.bucket, Key=prefix + name, Body=data)

        with ThreadPoolExecutor(4) as executor:
            list(executor.map(put, names))

    def upload_without_messages(self, names: Iterable[str]) -> None:
        """Put photos into the bucket while it sends no events: the photos' messages are lost."""
        s3, bucket = self.stack.emulator.client("s3"), self.stack.bucket
        events = s3.get_bucket_notification_configuration(Bucket=bucket)
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        self.upload(names)
        kept = {"QueueConfigurations": events["QueueConfigurations"]}
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=kept)

    def send_copies(self, names: Sequence[str]) -> int:
        """Enqueue some photos again, one to four times each; return the number of copies."""
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
        """Run the keeper every `PERIOD_S` seconds until the condition is true."""
        keeper = self.keeper()

        def step() -> bool:
            with suppress(UnavailableError):  # DynamoDB Local can be slow on a busy machine
                keeper.run()
            time.sleep(PERIOD_S)
            return holds()

        wait_until(step, TIMEOUT_S, lambda: str(self.job()))

    def wait_until_paused(self) -> None:
        """Wait until the job is paused."""
        wait_until(seldom(lambda: self.job().is_paused), TIMEOUT_S, lambda: str(self.job()))

    def keeper(self) -> JobKeeper:
        """Return a keeper with short intervals."""
        errors: list[Exception] = []
        return JobKeeper(
            jobs=self.jobs,
            files=self.files,
            payable=lambda _: self.account().balance // PRICE,
            enqueue=self.queue.enqueue,
            is_idle=self.queue.is_idle,
            announce=lambda _: None,
            notify=lambda _: True,
            clock=now,
            period_s=PERIOD_S,
            retry_s=RETRY_S,
            max_attempt_s=60,
            max_run_s=60,
            on_error=errors.append,
        )

    def account(self) -> Account:
        """Return the current state of the account."""
        account_id = self.owner.customer.account_id
        return with_retries(lambda: self.accounts.read_account(account_id, now_us=now()))

    def prefix(self) -> str:
        """Return the prefix of the names of the job's photos in the bucket."""
        return source_prefix(self.owner.job_id)

    def wait_for_empty_queue(self) -> None:
        """Wait until the queue is empty and no worker processes a message."""
        url = self.stack.queue_url
        count = partial(self.stack.message_count, url)
        wait_until(seldom(lambda: not count()), TIMEOUT_S, lambda: f"{count()} messages")


def seldom(holds: Callable[[], bool]) -> Callable[[], bool]:
    """Return a function that pauses, and then checks the condition."""

    def step() -> bool:
        time.sleep(PAUSE_S)
        return holds()

    return step

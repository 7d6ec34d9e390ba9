"""Bulk jobs as on AWS: the stack, deployed in ministack, and the stores that the stack uses."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from tests.aws.ministack import ACCOUNT, ministack, wait_until
from tests.aws.stack import Stack, deploy
from tests.faults.processes import descendants, environment_of
from tests.integration.accounts.customer import open_account
from tests.integration.accounts.spending import with_retries
from tests.integration.jobs.job_owner import JobOwner, new_job, rows_of
from tests.integration.running import environment

from blur.accounts.connect import open_account_store
from blur.accounts.ports import accounts_unreachable
from blur.clock import now
from blur.jobs.connect import open_job_store
from blur.storage.job_bucket import JobBucket

if TYPE_CHECKING:
    from tests.integration.accounts.dynamodb_local import DynamoDBLocal

    from blur.accounts.ports import AccountStore
    from blur.jobs.model import JobObject
    from blur.jobs.ports import JobStore

TIMEOUT_S = 120
VISIBILITY_S = 6


@dataclass(frozen=True, slots=True)
class Engine:
    """The deployed stack, and the stores that it uses."""

    stack: Stack
    location: str
    """The value of `BLUR_ACCOUNTS`, which names the table of the accounts and jobs."""
    accounts: AccountStore
    jobs: JobStore
    files: JobBucket

    def open_job(self, credits_in: int = 100, **parameters: str) -> JobOwner:
        """Create an account with this many quarters of a credit, and a job of the account."""
        customer = with_retries(partial(open_account, self.accounts, credits_in))
        job = replace(
            new_job(customer, created_us=now()), parameters={"radius": "2%", **parameters}
        )
        with_retries(partial(self.jobs.create_job, job))
        return JobOwner(customer, job.job_id)

    def upload(self, owner: JobOwner, sources: dict[str, bytes]) -> None:
        """Upload photos with a presigned form, as clients do."""
        form = self.files.presign_sources(owner.job_id, max_bytes=10**6, now_us=now())
        for source, data in sources.items():
            fields = {**form.fields, "key": form.prefix + source}
            sent = requests.post(form.url, data=fields, files={"file": data}, timeout=30)
            assert sent.status_code == 204, sent.text

    def send(self, *bodies: str) -> None:
        """Send messages to the queue, as S3 and the keeper function do."""
        sqs = self.stack.emulator.client("sqs")
        for body in bodies:
            sqs.send_message(QueueUrl=self.stack.queue_url, MessageBody=body)

    def wait_for_rows(self, owner: JobOwner, count: int) -> dict[str, JobObject]:
        """Wait until `count` photos are done, failed or cancelled; return the rows by source."""
        find = partial(with_retries, partial(self.jobs.find_job, owner.job_id))
        wait_until(lambda: find().counts.ended >= count, TIMEOUT_S, self.log)
        return {row.source: row for row in rows_of(self.jobs, owner.job_id)}

    def wait_for_empty_queue(self) -> None:
        """Wait until workers have processed all messages of the queue."""
        wait_until(lambda: not self.stack.message_count(self.stack.queue_url), TIMEOUT_S, self.log)

    def run_keeper(self) -> None:
        """Run the keeper once, as its schedule does; repeat it if the store was unavailable.

        DynamoDB Local can be slow on a busy machine.
        """
        with_retries(self.invoke_keeper)

    def invoke_keeper(self) -> None:
        """Call the keeper's function.

        Raises:
            UnavailableError: the function could not reach the store.

        """
        name = self.stack.functions["JobKeeperFunction"]
        response = self.stack.emulator.client("lambda").invoke(FunctionName=name, Payload=b"{}")
        if "FunctionError" in response:
            # The emulator replaces the class of each error with `Runtime.HandlerError`.
            message = json.loads(response["Payload"].read())["errorMessage"]
            unavailable = accounts_unreachable()
            assert message == str(unavailable), self.log()
            raise unavailable

    @contextlib.contextmanager
    def scheduled_keeper(self) -> Iterator[None]:
        """Run the keeper every second, as its schedule does every minute."""
        ended = threading.Event()

        def keep() -> None:
            while not ended.wait(1):
                self.run_keeper()

        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(keep)
            try:
                yield
            finally:
                ended.set()
                running.result()

    def kill_worker(self) -> None:
        """Kill a process of `JobWorkerFunction`, the function that processes photos."""
        wait_until(self._workers, TIMEOUT_S, self.log)
        os.kill(self._workers()[0], signal.SIGKILL)

    def _workers(self) -> list[int]:
        function = self.stack.functions["JobWorkerFunction"]
        members = descendants(self.stack.emulator.pid)
        return [
            pid
            for pid in members
            if environment_of(pid).get("AWS_LAMBDA_FUNCTION_NAME") == function
        ]

    def subscribe(self, name: str, pattern: str) -> Callable[[], list[dict[str, Any]]]:
        """Add a rule to the event bus; return a function that returns the rule's events so far."""
        sqs, bus = self.stack.emulator.client("sqs"), self.stack.emulator.client("events")
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        bus.put_rule(Name=name, EventPattern=pattern)
        bus.put_targets(
            Rule=name, Targets=[{"Id": "1", "Arn": attributes["Attributes"]["QueueArn"]}]
        )
        events: list[dict[str, Any]] = []

        def received() -> list[dict[str, Any]]:
            response = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            for message in response.get("Messages", ()):
                events.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return events

        return received

    def log(self) -> str:
        """Return the log of the emulator and its functions."""
        return self.stack.emulator.log.read_text()


def api_environment(
    engine: Engine, folder: Path, dynamodb: DynamoDBLocal, model_dir: Path
) -> dict[str, str]:
    """Return the environment of an API that uses the stack's table and bucket."""
    variables = {
        **dynamodb.environ,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_ENDPOINT_URL_S3": engine.stack.emulator.url,
        "BLUR_ACCOUNTS": engine.location,
        "BLUR_MEDIA": f"s3:{engine.stack.bucket}",
    }
    return environment(folder, model_dir, **variables)


@contextlib.contextmanager
def aws_engine(
    folder: Path, dynamodb: DynamoDBLocal, table: str, model_dir: Path
) -> Iterator[Engine]:
    """Deploy the stack; its accounts are in the DynamoDB table `table`."""
    location = f"dynamodb:{table}"
    with ministack(folder) as emulator:
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
        files = JobBucket(stack.bucket, emulator.client("s3"))
        yield Engine(stack, location, accounts, jobs, files)
        jobs.close()
        accounts.close()

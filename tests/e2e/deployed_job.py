"""A bulk job on the deployed stack, with the actions of its client and of an operator."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests
from PIL import Image
from tests.aws.ministack import wait_until
from tests.e2e import machine

if TYPE_CHECKING:
    from tests.e2e.album import Album
    from tests.e2e.deployment import Deployment

WAIT_S = 480
TIMEOUT_S = 60


class Job:
    """A job for the photos of an `Album`; its methods act as the client or the operator."""

    def __init__(self, deployment: Deployment, key: str, album: Album) -> None:
        self._deployment, self._key, self._album = deployment, key, album
        self._queue = deployment.outputs["JobQueue"]
        self._sqs = deployment.client("sqs")
        self.job_id = ""

    def command(self, *arguments: str) -> dict[str, Any]:
        """Run a command of `bgblur jobs`; return the JSON that it prints.

        The exit code can be 0 or 1, because photos of the job can fail.
        """
        line = " ".join([".venv/bin/bgblur jobs", *arguments, "--json 2>&1 || test $? = 1"])
        api = {"BGBLUR_API": self._deployment.url, "BGBLUR_API_KEY": self._key}
        printed = self._deployment.operate(line, **api)
        *_, last = printed.splitlines()
        assert last.startswith("{"), f"{printed}{self._deployment.log()}"
        document: dict[str, Any] = json.loads(last)
        return document

    def submit(self) -> None:
        """Upload the album and close the job. The job has `subject=person`, the fastest option."""
        options = "--recursive --radius 2% --subject person --parallel 8"
        self.job_id = self.command("submit", str(self._album.folder), options)["job_id"]

    def set_redelivery(self, seconds: int) -> None:
        attributes = {"VisibilityTimeout": str(seconds)}
        self._sqs.set_queue_attributes(QueueUrl=self._queue, Attributes=attributes)

    def send_duplicates(self) -> None:
        """Send a second message for each of 40 photos, in the format of the keeper or of S3."""
        sources = random.Random(0).sample(self._album.sources, 40)
        bodies = [json.dumps({"job_id": self.job_id, "source": each}) for each in sources[:20]]
        bodies += [self._event(each) for each in sources[20:]]
        for start in range(0, len(bodies), 10):
            entries = [
                {"Id": str(number), "MessageBody": body}
                for number, body in enumerate(bodies[start : start + 10])
            ]
            sent = self._sqs.send_message_batch(QueueUrl=self._queue, Entries=entries)
            assert not sent.get("Failed"), sent

    def kill_workers(self) -> None:
        """Kill the containers of workers until a delivery has failed."""
        before = self._failed_deliveries()

        def killed() -> bool:
            workers = containers_of(self._deployment.ids["JobWorkerFunction"])
            if workers:
                subprocess.run(["docker", "kill", *workers], check=False, capture_output=True)
            return self._failed_deliveries() > before

        wait_until(killed, WAIT_S, self._deployment.log)

    def wait_until_ended(self) -> None:
        """Wait until the queue has no messages; then run the keeper, which ends the job."""
        wait_until(lambda: not self._messages(), WAIT_S, self._deployment.log)
        self._deployment.invoke("JobKeeperFunction")
        assert self.state()["state"] == "done"
        dead = self._deployment.outputs["JobDeadLetters"]
        assert "Messages" not in self._sqs.receive_message(QueueUrl=dead)

    def fetch(self, folder: Path) -> dict[str, dict[str, Any]]:
        """Save the results; return the lines of the manifest by their sources."""
        fetched = self.command("fetch", self.job_id, "-o", str(folder))
        assert fetched["not_fetched"] == []
        text = (folder / "manifest.jsonl").read_text("utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        assert len(lines) == len(self._album.sources)
        return {line["source"]: line for line in lines}

    def state(self) -> dict[str, Any]:
        """Request the job, and return the JSON of the response."""
        answer = requests.get(
            f"{self._deployment.url}/v2/jobs/{self.job_id}",
            headers={"ApiKey": self._key},
            timeout=TIMEOUT_S,
        )
        document: dict[str, Any] = answer.json()
        return document

    def _failed_deliveries(self) -> int:
        return self._deployment.emulator.log.read_text().count("failed processing SQS batch")

    def _messages(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=names)
        return sum(map(int, found["Attributes"].values()))

    def _event(self, source: str) -> str:
        key = quote(f"job-sources/{self.job_id}/{source}", safe="/")
        bucket = {"name": self._deployment.outputs["Bucket"]}
        record = {"eventSource": "aws:s3", "s3": {"bucket": bucket, "object": {"key": key}}}
        return json.dumps({"Records": [{"eventName": "ObjectCreated:Post", **record}]})


def sizes_of(folder: Path, lines: dict[str, dict[str, Any]]) -> dict[str, tuple[int, int]]:
    """Return the sizes of the saved results by their sources."""
    sizes = {}
    for source, line in lines.items():
        if line["file"]:
            with Image.open(folder / line["file"]) as picture:
                sizes[source] = picture.size
    return sizes


def containers_of(function: str) -> set[str]:
    """Return the ids of a function's running containers in the emulator."""
    filters = ("status=running", "label=ministack=lambda")
    running = machine.containers(*(word for each in filters for word in ("--filter", each)))
    command = ["docker", "inspect", "--format", "{{.Id}} {{.Config.Env}}", *running]
    # If one of the containers has ended since it was listed, the exit code is 1.
    described = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return {
        line.partition(" ")[0]
        for line in described.splitlines()
        if f"AWS_LAMBDA_FUNCTION_NAME={function} " in line
    }

"""The notification of an ended job is signed, and sent until it is accepted, on both stores."""

from __future__ import annotations

import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError
from tests.integration.jobs.job_owner import JobOwner, new_job

from blur.accounts.model import Instant
from blur.clock import now
from blur.fetching.connections import Connections
from blur.fetching.poster import Poster
from blur.job_app import new_secret
from blur.jobs.keeper import JobKeeper
from blur.jobs.model import Job, JobObject, Notification, ObjectState
from blur.jobs.notify import send
from blur.storage.job_folder import JobFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blur.accounts.ports import AccountStore
    from blur.jobs.ports import JobStore

WORKER_S = 180


class Receiver(HTTPServer):
    """A customer's server for notifications; it rejects the first request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ReceiverHandler)
        self.received: list[tuple[bytes, dict[str, str]]] = []


class ReceiverHandler(BaseHTTPRequestHandler):
    """Keeps each request."""

    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((body, dict(self.headers.items())))
        self.send_response(503 if len(self.server.received) == 1 else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_notification_is_signed_and_is_repeated_until_it_is_accepted(
    store: AccountStore, jobs: JobStore, owner: JobOwner, receiver: Receiver, tmp_path: Path
) -> None:
    del store
    secret, url = new_secret(), f"http://shop.example:{receiver.server_port}/ended"
    job = replace(
        new_job(owner.customer, created_us=now()),
        notification=Notification(url=url, secret=secret),
    )
    jobs.create_job(job)
    row = JobObject(job_id=job.job_id, source="a.png", state=ObjectState.FAILED, code="no_subject")
    jobs.end_object(row, None, now_us=now())
    jobs.close_job(job.job_id, now_us=now())
    connections = Connections(
        resolve=lambda *_: ["127.0.0.1"],
        is_allowed=lambda address: address == ip_address("127.0.0.1"),
        ports={receiver.server_port},
    )
    keep_until_announced(jobs, job, JobFolder(tmp_path / "media"), Poster(connections))
    verifier = Webhook(secret)
    events = [verifier.verify(body, headers) for body, headers in receiver.received]
    assert len(events) == 2
    assert events[0] == events[1]
    assert (events[0]["type"], events[0]["data"]["job_id"]) == ("job.ended", job.job_id)
    assert events[0]["data"]["counts"]["failed"] == 1
    body, headers = receiver.received[0]
    with pytest.raises(WebhookVerificationError):
        verifier.verify(body.replace(b"failed", b"passed"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers)


def keep_until_announced(jobs: JobStore, job: Job, folder: JobFolder, post: Poster) -> None:
    """Run the keeper now and, by its clock, a minute later; signatures contain the real time."""
    for later_us in (0, 60_000_000):
        JobKeeper(
            jobs=jobs,
            files=folder,
            payable=lambda _: None,
            enqueue=lambda *_: None,
            announce=lambda _: None,
            notify=lambda ended: ended.job_id != job.job_id or send(ended, post, now_us=now()),
            clock=lambda later_us=later_us: Instant(now() + later_us),  # type: ignore[misc]
            period_s=60,
            retry_s=600,
            max_attempt_s=WORKER_S,
            max_run_s=60,
        ).run()
    assert job.job_id not in {each.job_id for each in jobs.list_active()}

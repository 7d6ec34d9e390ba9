"""Notifications: their addresses, their bodies and their signatures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from tests.clocks import START
from tests.unit.jobs.conftest import new_job

from blur.accounts.model import Instant
from blur.credits import Credits
from blur.fetching.errors import DownloadError, InvalidUrlError
from blur.job_errors import InvalidNotifyError
from blur.jobs.model import Job, JobCounts, JobState, Notification
from blur.jobs.notify import check_notify, send, signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the secret of the public example below
URL = "https://shop.example/ended"


@dataclass
class RecordingPost:
    """Records requests, and returns a status or raises an error."""

    outcome: int | Exception = 204
    sent: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.sent.append((url, body, headers))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def ended_job() -> Job:
    return replace(
        new_job(),
        state=JobState.DONE,
        ended_us=START,
        counts=JobCounts(received=2, done=1, failed=1, charged=Credits(4)),
        notification=Notification(url=URL, secret=SECRET),
    )


def test_the_signature_equals_the_signature_in_the_example_of_standard_webhooks() -> None:
    """See https://github.com/standard-webhooks/standard-webhooks/tree/main/libraries."""
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        SECRET,
        now_us=Instant(1_614_265_330_999_999),
    )
    assert headers == {
        "Content-Type": "application/json",
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_the_body_has_the_public_fields_of_the_job_but_no_secret() -> None:
    post = RecordingPost()
    assert send(ended_job(), post, now_us=START)
    ((url, body, headers),) = post.sent
    assert (url, headers["webhook-id"]) == (URL, "job_1_ended")
    event = json.loads(body)
    assert (event["type"], event["timestamp"]) == ("job.ended", "2027-01-15T08:00:00Z")
    assert event["data"]["job_id"] == "job_1"
    assert event["data"]["state"] == "done"
    assert event["data"]["counts"] == {
        "received": 2,
        "done": 1,
        "failed": 1,
        "cancelled": 0,
        "charged": 1,
    }
    assert SECRET not in body.decode()


def test_attempts_to_send_a_notification_have_the_same_id_and_different_times() -> None:
    post = RecordingPost()
    for now_us in (START, Instant(START + 60_000_000)):
        send(ended_job(), post, now_us=now_us)
    first, second = (headers for _, _, headers in post.sent)
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) == int(first["webhook-timestamp"]) + 60
    assert first["webhook-signature"] != second["webhook-signature"]


@pytest.mark.parametrize(
    ("outcome", "is_accepted"),
    [
        *((200, True), (299, True), (199, False), (301, False), (404, False), (500, False)),
        (DownloadError("too slow"), False),
        (InvalidUrlError("internal"), False),
    ],
)
def test_a_notification_counts_as_accepted_only_if_the_response_has_a_success_status(
    outcome: int | Exception, *, is_accepted: bool
) -> None:
    assert send(ended_job(), RecordingPost(outcome), now_us=START) is is_accepted


def test_nothing_is_sent_for_a_job_without_a_notification() -> None:
    post = RecordingPost()
    assert send(replace(ended_job(), notification=None), post, now_us=START)
    assert post.sent == []


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/ended?x=1",
        "http://shop.example",
        "https://93.184.216.34/",
        "https://localhost.example/",
    ],
)
def test_a_public_address_is_accepted(url: str) -> None:
    check_notify(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example",
        "ftp://shop.example/",
        "https://user:password@shop.example/",
        "https://shop.example:8080/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://0x7f.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "http://localhost/",
        "https://jobs.LOCALHOST./ended",
        "https://shop.example/" + "x" * 2048,
        "https://\ud800/",
        "https://shop.example/\ud800",
        "https://[/",
    ],
)
def test_an_address_that_is_invalid_or_not_public_is_rejected(url: str) -> None:
    with pytest.raises(InvalidNotifyError, match=r"^The field 'notify' is not valid\. "):
        check_notify(url)

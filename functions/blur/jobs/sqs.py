"""The queue of bulk jobs on AWS: messages in SQS, from S3, the keeper and the workers.

SQS delivers a message again until a worker deletes the message, and sometimes once more. This is
harmless, because the row of an object that is done, failed or cancelled does not change.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from blur.accounts.model import SECOND_US
from blur.aws import limited, session
from blur.errors import UnavailableError
from blur.storage.job_bucket import split_source_key

if TYPE_CHECKING:
    from blur.accounts.model import Instant

QUEUE_URL = "JOB_QUEUE_URL"
"""The environment variable with the URL of the queue."""
READ_S, MAX_ATTEMPTS = 4, 3
BATCH = 10
"""The maximum number of messages in one request to SQS."""
COUNTED = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
)
"""The attributes of a queue that count its messages: waiting, delayed, and delivered to workers."""
TEST_EVENT = "s3:TestEvent"
EVENT_SOURCE, ENDED = "background-blur", "bulk job ended"


class ObjectName(NamedTuple):
    """An object of a job, named in a message."""

    job_id: str
    source: str
    attempts: int = 0
    """The attempts before this message; SQS itself counts the deliveries of this message."""


def read_message(body: str) -> list[ObjectName]:
    """Return the objects that a message names; S3 or `ObjectQueue` has sent the message.

    The test event, which S3 sends when its notifications are set up, names no object.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html

    Raises:
        ValueError: the message has another format.

    """
    try:
        document = json.loads(body)
        if "job_id" in document:
            attempts = int(document.get("attempts", 0))
            return [ObjectName(document["job_id"], document["source"], attempts)]
        if document.get("Event") == TEST_EVENT:
            return []
        keys = [unquote_plus(record["s3"]["object"]["key"]) for record in document["Records"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        message = "the message comes neither from S3 nor from `ObjectQueue`"
        raise ValueError(message) from error
    return [ObjectName(*name) for name in map(split_source_key, keys) if name is not None]


class ObjectQueue:
    """Sends objects to workers, including objects that were sent before."""

    def __init__(self, url: str, client: Any = None) -> None:  # noqa: ANN401 - botocore creates its clients' classes at run time
        """Keep the queue's URL; no request is sent yet."""
        self._url = url
        self._client = client or open_client("sqs")

    def enqueue(self, job_id: str, sources: Iterable[str]) -> None:
        """Send a message for each object.

        Raises:
            UnavailableError: SQS did not accept every message; a retry sends all messages again.

        """
        for batch in _batches(sources):
            self._send([ObjectName(job_id, source) for source in batch])

    def defer(self, name: ObjectName, *, delay_s: int) -> None:
        """Send a message that is delivered after a delay, of at most 900 seconds.

        Raises:
            UnavailableError: SQS did not accept the message.

        """
        self._send([name], DelaySeconds=delay_s)

    def _send(self, names: Iterable[ObjectName], **more: int) -> None:
        entries = [
            {"Id": str(number), "MessageBody": json.dumps(name._asdict()), **more}
            for number, name in enumerate(names)
        ]
        response = _sent(self._client.send_message_batch, QueueUrl=self._url, Entries=entries)
        if len(response.get("Successful", ())) != len(entries):
            raise _unavailable()

    def is_idle(self) -> bool:
        """Return whether no message is in the queue, and none is with a worker.

        The counts of SQS are approximate, so an object can still be in the queue; if `JobKeeper`
        sends the object again, the queue has two messages for the object.

        Raises:
            UnavailableError: SQS did not respond.

        """
        response = _sent(
            self._client.get_queue_attributes, QueueUrl=self._url, AttributeNames=list(COUNTED)
        )
        counts = response.get("Attributes", {})
        return all(counts.get(name) == "0" for name in COUNTED)


class EventBus:
    """Publishes the end of jobs on the default bus of EventBridge."""

    def __init__(self, client: Any = None) -> None:  # noqa: ANN401 - the clients of botocore have no static type
        """Keep the client; no request is sent yet."""
        self._client = client or open_client("events")

    def publish_ended(self, detail: dict[str, Any], *, at_us: Instant) -> None:
        """Publish that a job has ended; `detail` is the job as clients see it.

        Raises:
            UnavailableError: EventBridge did not accept the event.

        """
        entry = {
            "Source": EVENT_SOURCE,
            "DetailType": ENDED,
            "Detail": json.dumps(detail),
            "Time": at_us // SECOND_US,
        }
        response = _sent(self._client.put_events, Entries=[entry])
        if response.get("FailedEntryCount") != 0:
            raise _unavailable()


def open_client(service: str) -> Any:  # noqa: ANN401 - the clients of botocore have no static type
    """Return a client with short time-outs; no request is sent yet."""
    return session().create_client(service, config=limited(read_s=READ_S, attempts=MAX_ATTEMPTS))


def _batches(sources: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(sources)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _sent(operation: Any, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - the clients of botocore have no static type
    try:
        response: dict[str, Any] = operation(**request)
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        raise _unavailable() from error
    return response


def _unavailable() -> UnavailableError:
    message = "The queue of bulk jobs cannot be reached at the moment."
    return UnavailableError(message, retry_after_s=1)

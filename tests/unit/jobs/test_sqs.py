"""The messages of bulk jobs from S3 and from the keeper, and the events on EventBridge."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from blur.accounts.model import Instant
from blur.errors import UnavailableError
from blur.jobs.sqs import EventBus, ObjectName, ObjectQueue, read_message

if TYPE_CHECKING:
    from collections.abc import Callable

URL = "https://sqs.example/queue"
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: not name.endswith("/")
)


def s3_event(*keys: str) -> str:
    """Return the body of S3's message for new objects."""
    records = [
        {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Post",
            "s3": {"bucket": {"name": "media"}, "object": {"key": quote_plus(key), "size": 5}},
        }
        for key in keys
    ]
    return json.dumps({"Records": records})


class Service:
    """An AWS client that records its requests; each response comes from `answer`."""

    def __init__(self, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self.answer = answer
        self.requests: list[dict[str, Any]] = []

    def send_message_batch(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - any parameters of the request
        self.requests.append(request)
        return self.answer(request)

    put_events = get_queue_attributes = send_message_batch


def accepting(request: dict[str, Any]) -> dict[str, Any]:
    ids = [{"Id": entry["Id"]} for entry in request["Entries"]]
    return {"Successful": ids}


def failing(error: Exception) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def answer(_: dict[str, Any]) -> dict[str, Any]:
        raise error

    return answer


@given(NAMES)
def test_the_name_of_a_photo_is_decoded_from_the_s3_event(source: str) -> None:
    body = s3_event(f"job-sources/job_1/{source}")
    assert read_message(body) == [ObjectName("job_1", source)]


def test_an_event_can_name_several_photos() -> None:
    body = s3_event("job-sources/a/1.jpg", "job-sources/b/2.jpg")
    assert read_message(body) == [ObjectName("a", "1.jpg"), ObjectName("b", "2.jpg")]


@pytest.mark.parametrize("key", ["uploads/a", "job-sources/a/folder/", "job-sources/a.jpg"])
def test_an_s3_event_for_a_file_that_is_not_a_photo_of_a_job_names_no_photo(key: str) -> None:
    assert read_message(s3_event(key)) == []


def test_no_photo_is_read_from_the_test_event_of_s3() -> None:
    body = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "media"}
    assert read_message(json.dumps(body)) == []


@pytest.mark.parametrize(
    "body",
    ["", "x", "[]", "null", "{}", '"job_id"', '{"job_id": "a"}', '{"Records": [{}]}', "[1]"],
)
def test_a_message_of_an_unknown_format_is_an_error(body: str) -> None:
    with pytest.raises(ValueError, match="comes neither from S3"):
        read_message(body)


@given(st.lists(NAMES, max_size=25))
def test_any_photo_name_is_the_same_after_it_is_sent_and_read_in_a_message(
    sources: list[str],
) -> None:
    service = Service(accepting)
    ObjectQueue(URL, service).enqueue("job_1", sources)
    bodies = [entry["MessageBody"] for each in service.requests for entry in each["Entries"]]
    assert [read_message(body) for body in bodies] == [
        [ObjectName("job_1", source)] for source in sources
    ]
    assert all(len(each["Entries"]) <= 10 for each in service.requests)
    assert all(each["QueueUrl"] == URL for each in service.requests)


def test_a_photo_that_is_deferred_keeps_its_number_of_attempts() -> None:
    service = Service(accepting)
    name = ObjectName("job_1", "a.jpg", attempts=2)
    ObjectQueue(URL, service).defer(name, delay_s=300)
    ((entry,),) = (each["Entries"] for each in service.requests)
    assert read_message(entry["MessageBody"]) == [name]
    assert entry["DelaySeconds"] == 300


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: {"Successful": [{"Id": "0"}], "Failed": [{"Id": "1"}]},
        lambda _: {},
        failing(ConnectTimeoutError(endpoint_url=URL)),
        failing(ClientError({"Error": {"Code": "InternalFailure"}}, "SendMessageBatch")),
    ],
    ids=["one failed", "empty", "no connection", "refused"],
)
def test_an_error_is_raised_if_sqs_did_not_accept_all_messages(
    answer: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    with pytest.raises(UnavailableError):
        ObjectQueue(URL, Service(answer)).enqueue("job_1", ["1.jpg", "2.jpg"])


@pytest.mark.parametrize("counts", list(product("01", repeat=3)))
def test_a_queue_is_idle_only_if_no_message_waits_and_no_worker_has_a_message(
    counts: tuple[str, ...],
) -> None:
    names = ("", "Delayed", "NotVisible")
    attributes = {
        f"ApproximateNumberOfMessages{name}": count
        for name, count in zip(names, counts, strict=True)
    }
    service = Service(lambda _: {"Attributes": attributes})
    assert ObjectQueue(URL, service).is_idle() is (set(counts) == {"0"})


def test_a_queue_is_not_idle_if_sqs_does_not_return_the_numbers_of_messages() -> None:
    assert ObjectQueue(URL, Service(lambda _: {})).is_idle() is False


def test_the_event_on_eventbridge_has_the_ended_job_as_json_and_the_time_of_its_end() -> None:
    service = Service(lambda _: {"FailedEntryCount": 0})
    EventBus(service).publish_ended({"job_id": "job_1"}, at_us=Instant(5_000_000))
    ((entry,),) = (each["Entries"] for each in service.requests)
    assert json.loads(entry["Detail"]) == {"job_id": "job_1"}
    assert (entry["Source"], entry["DetailType"]) == ("background-blur", "bulk job ended")
    assert entry["Time"] == 5


@pytest.mark.parametrize(
    "answer", [lambda _: {"FailedEntryCount": 1}, lambda _: {}], ids=["failed", "empty"]
)
def test_an_error_is_raised_if_eventbridge_did_not_accept_the_event(
    answer: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    with pytest.raises(UnavailableError):
        EventBus(Service(answer)).publish_ended({}, at_us=Instant(0))

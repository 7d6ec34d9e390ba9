"""The worker of bulk jobs: the messages that SQS delivers again, and the metrics."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger, Metrics
from tests.unit.jobs.conftest import JOB_ID, SOURCE, put
from tests.unit.jobs.test_sqs import URL, Service, accepting, s3_event

from blur import job_handler
from blur.errors import UnavailableError
from blur.job_handler import JobWorker
from blur.jobs.model import Job, ObjectState, object_id
from blur.jobs.runner import MAX_ATTEMPTS
from blur.jobs.sqs import ObjectName, ObjectQueue, read_message

if TYPE_CHECKING:
    from tests.unit.jobs.conftest import FailingFolder, Log
    from tests.unit.jobs.fake_store import FakeJobStore

    from blur.jobs.runner import ObjectRunner


@dataclass
class Context:
    """The context of a Lambda invocation."""

    left_ms: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        return self.left_ms


@dataclass
class Lines:
    """The logger of a worker, and the lines that it wrote."""

    stream: io.StringIO
    logger: Logger

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def lines(request: pytest.FixtureRequest) -> Lines:
    stream = io.StringIO()
    return Lines(stream, Logger(service=f"test-{request.node.name}", stream=stream))


@pytest.fixture
def sqs() -> Service:
    return Service(accepting)


@pytest.fixture
def worker(
    runner: ObjectRunner, sqs: Service, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> JobWorker:
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED", raising=False)
    metrics = Metrics(namespace=job_handler.NAMESPACE, service=job_handler.SERVICE)
    metrics.clear_metrics()
    return JobWorker(runner, ObjectQueue(URL, sqs), lines.logger, metrics)


def message(body: str, number: int = 1, *, attempt: int = 1) -> dict[str, Any]:
    return {
        "messageId": f"m{number}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(attempt)},
        "eventSource": "aws:sqs",
    }


def own(source: str, number: int = 1, *, attempt: int = 1) -> dict[str, Any]:
    return message(json.dumps({"job_id": JOB_ID, "source": source}), number, attempt=attempt)


def handle(worker: JobWorker, *messages: dict[str, Any]) -> list[str]:
    """Process the messages; return the ids of the messages that SQS must deliver again."""
    context: Any = Context()
    response = worker.handle({"Records": list(messages)}, context)
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def counted(printed: str) -> dict[str, list[float]]:
    """Return the values of the printed metrics by metric name."""
    values: dict[str, list[float]] = {}
    for line in printed.splitlines():
        document = json.loads(line)
        (metrics,) = document["_aws"]["CloudWatchMetrics"]
        for metric in metrics["Metrics"]:
            values.setdefault(metric["Name"], []).extend(document[metric["Name"]])
    return values


@pytest.mark.usefixtures("job")
def test_a_photo_in_an_s3_event_is_processed_and_its_message_is_deleted(
    worker: JobWorker, store: FakeJobStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert handle(worker, message(s3_event(f"job-sources/{JOB_ID}/{SOURCE}"))) == []
    row = store.rows[JOB_ID][object_id(SOURCE)]
    assert row.state is ObjectState.DONE
    assert counted(capsys.readouterr().out) == {"BulkDone": [1]}


@pytest.mark.usefixtures("job")
def test_only_the_message_of_an_unfinished_photo_is_delivered_again(
    worker: JobWorker, store: FakeJobStore, files: FailingFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    put(files, "broken.png", b"not an image")
    put(files, "slow.png", b"")

    def fail_slow(method: str) -> None:
        if method == "read_source" and len(store.holds) == 1 and not store.rows[JOB_ID]:
            message = "The storage cannot be reached."
            raise UnavailableError(message)

    files.before = fail_slow
    messages = [own("slow.png", 1), own("broken.png", 2)]
    assert handle(worker, *messages) == ["m1"]
    files.before = lambda _: None
    assert handle(worker, own(SOURCE, 3)) == []
    states = {row.source: row.state for row in store.rows[JOB_ID].values()}
    assert states == {SOURCE: ObjectState.DONE, "broken.png": ObjectState.FAILED}
    values = counted(capsys.readouterr().out)
    assert values == {"BulkRetried": [1], "BulkDone": [1], "BulkFailed": [1]}


def unavailable(_: object) -> Any:  # noqa: ANN401 - it always raises an error
    message = "It cannot be reached."
    raise UnavailableError(message)


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("attempt", [1, MAX_ATTEMPTS + 1])
def test_a_delivered_message_does_not_count_as_an_attempt_while_the_store_is_unavailable(
    attempt: int, worker: JobWorker, store: FakeJobStore, sqs: Service
) -> None:
    store.before = unavailable
    assert handle(worker, own(SOURCE, attempt=attempt)) == []
    ((entry,),) = (each["Entries"] for each in sqs.requests)
    assert read_message(entry["MessageBody"]) == [ObjectName(JOB_ID, SOURCE, attempt - 1)]
    assert entry["DelaySeconds"] == JobWorker.wait_s
    store.before = lambda _: None
    assert handle(worker, message(entry["MessageBody"])) == []
    state = ObjectState.DONE if attempt == 1 else ObjectState.FAILED
    assert store.rows[JOB_ID][object_id(SOURCE)].state is state


@pytest.mark.usefixtures("job")
def test_a_message_stays_in_the_queue_if_no_new_message_can_replace_it(
    worker: JobWorker, store: FakeJobStore, sqs: Service
) -> None:
    store.before = sqs.answer = unavailable
    assert handle(worker, own(SOURCE)) == ["m1"]


@pytest.mark.usefixtures("job")
def test_an_unknown_message_does_not_affect_the_other_messages_of_its_batch(
    worker: JobWorker, store: FakeJobStore
) -> None:
    assert handle(worker, message("{}", 1), own(SOURCE, 2), message("[]", 3)) == ["m1", "m3"]
    assert store.rows[JOB_ID][object_id(SOURCE)].state is ObjectState.DONE


@pytest.mark.usefixtures("job")
def test_a_photo_fails_if_it_is_delivered_more_often_than_the_limit_of_attempts(
    worker: JobWorker, store: FakeJobStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert handle(worker, own(SOURCE, attempt=MAX_ATTEMPTS + 1)) == []
    row = store.rows[JOB_ID][object_id(SOURCE)]
    assert (row.state, row.code) == (ObjectState.FAILED, "internal_error")
    assert counted(capsys.readouterr().out) == {"BulkFailed": [1]}


@pytest.mark.usefixtures("job")
def test_an_unexpected_error_is_logged_and_counted_as_an_internal_error(
    worker: JobWorker, store: FakeJobStore, log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(method: str) -> None:
        if method == "reserve_object":
            message = "no such attribute"
            raise AttributeError(message)

    store.before = fail
    assert handle(worker, own(SOURCE)) == ["m1"]
    assert [str(error) for error in log.errors] == ["no such attribute"]
    assert counted(capsys.readouterr().out) == {"internal_error": [1], "BulkRetried": [1]}


def test_a_message_of_a_job_that_does_not_exist_is_deleted(
    worker: JobWorker, capsys: pytest.CaptureFixture[str]
) -> None:
    assert handle(worker, own(SOURCE)) == []
    assert capsys.readouterr().out == ""


def test_an_unknown_message_is_logged_without_its_content(worker: JobWorker, lines: Lines) -> None:
    assert handle(worker, message('{"secret": 1}')) == ["m1"]
    (line,) = lines.all()
    assert (line["message"], line["message_id"]) == ("unknown message", "m1")
    assert "secret" not in lines.stream.getvalue()


def test_a_photo_is_delivered_again_if_its_worker_would_time_out_in_a_few_seconds(
    runner: ObjectRunner, lines: Lines, job: Job, store: FakeJobStore
) -> None:
    worker = JobWorker(
        replace(runner, deadline_margin_s=5),
        ObjectQueue(URL, Service(accepting)),
        lines.logger,
        Metrics(namespace=job_handler.NAMESPACE, service=job_handler.SERVICE),
    )
    context: Any = Context(left_ms=4_000)
    event = {"Records": [own(SOURCE)]}
    assert worker.handle(event, context)["batchItemFailures"] == [{"itemIdentifier": "m1"}]
    assert store.rows[job.job_id] == {}

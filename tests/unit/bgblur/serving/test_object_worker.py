"""How a worker process claims one photo of a bulk job and processes the photo."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from multiprocessing import Pipe
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from bgblur.serving.object_worker import ObjectTask, ObjectTaskResult, ObjectWorker
from blur.clock import now
from blur.errors import UnavailableError
from blur.jobs.model import Job, JobObject, ObjectState
from blur.jobs.runner import EndedObject, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from blur.accounts.model import Instant
    from blur.jobs.runner import ObjectRunner

TASK = ObjectTask(lease_s=130, left_ms=120_000)
CLAIMED = JobObject(job_id="j", source="a.jpg", state=ObjectState.WAITING, attempts=2)
ROW = JobObject(job_id="j", source="a.jpg", state=ObjectState.DONE)


@dataclass
class Queue:
    """A queue that returns `claimed`, or raises `failure`."""

    claimed: JobObject | None = CLAIMED
    failure: Exception | None = None
    leases: list[float] = field(default_factory=list)

    def claim_object(self, *, now_us: Instant, lease_s: float) -> JobObject | None:
        assert abs(now_us - now()) < 60_000_000
        self.leases.append(lease_s)
        if self.failure:
            raise self.failure
        return self.claimed


@dataclass(frozen=True)
class Runner:
    """A fake runner that finishes a photo of a job, or leaves it to be retried."""

    outcome: Outcome
    on_ended: Callable[[EndedObject], None]

    def run(self, job_id: str, source: str, *, attempt: int, left_ms: int) -> Outcome:
        assert (job_id, source, attempt, left_ms) == ("j", "a.jpg", 2, 120_000)
        if self.outcome is Outcome.ENDED:
            job = cast("Job", SimpleNamespace(job_id=job_id))
            self.on_ended(EndedObject(job, ROW, {"matte": 9.0}))
        return self.outcome


def messages(queue: Queue, outcome: Outcome = Outcome.ENDED) -> tuple[list[object], list[str]]:
    """Call `process` once; return the sent messages and the sources of the finished photos."""
    logged: list[str] = []
    runner = Runner(outcome, lambda ended: logged.append(ended.row.source))
    worker = ObjectWorker(queue, cast("ObjectRunner", runner))
    received: list[object] = []
    front, process = Pipe()
    with front, process:
        worker.process(TASK, process.send)
        while front.poll():
            received.append(front.recv())
    return received, logged


def test_a_worker_sends_the_row_of_the_photo_that_it_claimed_and_then_the_result() -> None:
    queue = Queue()
    assert messages(queue) == (
        [CLAIMED, ObjectTaskResult(Outcome.ENDED, ROW, {"matte": 9.0})],
        ["a.jpg"],
    )
    assert queue.leases == [TASK.lease_s]


def test_a_task_result_contains_the_final_row_only_if_the_worker_has_written_the_row() -> None:
    assert messages(Queue(), Outcome.RETRY) == ([CLAIMED, ObjectTaskResult(Outcome.RETRY)], [])


def test_a_worker_that_finds_no_waiting_photo_sends_only_the_value_none() -> None:
    assert messages(Queue(claimed=None)) == ([None], [])


def test_no_photo_of_a_job_is_claimed_while_the_disk_is_almost_full(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Otherwise results would fill the disk that also contains the database of accounts."""
    queue, space = Queue(), iter([False, False, True])
    runner = Runner(Outcome.RETRY, lambda _: None)
    worker = ObjectWorker(queue, cast("ObjectRunner", runner), has_space=lambda: next(space))
    sent: list[object] = []
    for _ in range(3):
        worker.process(TASK, sent.append)
    assert sent == [None, None, CLAIMED, ObjectTaskResult(Outcome.RETRY)]
    assert len(queue.leases) == 1
    assert [record.message for record in caplog.records] == [
        "photos of jobs wait, because the disk is almost full"
    ]


def test_an_unreadable_disk_does_not_stop_the_worker() -> None:
    def has_space() -> bool:
        message = "no disk"
        raise UnavailableError(message)

    worker = ObjectWorker(
        Queue(), cast("ObjectRunner", Runner(Outcome.ENDED, lambda _: None)), has_space=has_space
    )
    sent: list[object] = []
    worker.process(TASK, sent.append)
    assert sent == [None]


@pytest.mark.parametrize("failure", [UnavailableError("locked"), ZeroDivisionError()])
def test_a_store_that_fails_does_not_stop_the_worker(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert messages(Queue(failure=failure)) == ([None], [])
    is_expected = isinstance(failure, UnavailableError)
    assert len(caplog.records) == (0 if is_expected else 1)

"""Photos of jobs in the worker pool, with a lower priority than requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from tests.unit.bgblur.serving.fake_workers import REPLY, Fleet, run, send, until

from bgblur.serving import fair_queue, job_drain, worker_pool
from bgblur.serving.job_drain import JobDrain, retry_pause_s
from blur.accounts.model import SECOND_US, Instant
from blur.errors import OverloadedError, UnavailableError
from blur.jobs.model import Job, JobObject, ObjectState
from blur.jobs.runner import MAX_ATTEMPTS, Outcome

if TYPE_CHECKING:
    from bgblur.serving.ports import JobQueue
    from bgblur.serving.worker_pool import WorkerPool

NOW_US = Instant(1_000_000_000)


@pytest.fixture(autouse=True)
def short_times(short_pauses: None, monkeypatch: pytest.MonkeyPatch) -> None:
    del short_pauses
    monkeypatch.setattr(job_drain, "POLL_S", 0.01)
    monkeypatch.setattr(job_drain, "RETRY_PAUSES_S", (0, 10, 1))
    monkeypatch.setattr(fair_queue, "KEEP_S", 0.01)


def objects(count: int, *, attempts: int = 1) -> list[JobObject]:
    return [
        JobObject(job_id="j", source=f"{n}", state=ObjectState.WAITING, attempts=attempts)
        for n in range(count)
    ]


@dataclass
class Queue:
    """The store of the objects that the fleet's workers claim."""

    fleet: Fleet
    failures: list[Exception] = field(default_factory=list)
    released: list[tuple[str, int]] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    refused: int = 0
    asked: int = 0

    def find_job(self, job_id: str) -> Job:
        raise NotImplementedError(job_id)

    def add_object(self, job_id: str, source: str, *, now_us: Instant) -> bool:
        raise NotImplementedError(job_id, source, now_us)

    def count_waiting(self) -> int:
        self.asked += 1
        if self.failures:
            raise self.failures[0]
        return len(self.fleet.objects)

    def require_available(self) -> None:
        if self.failures:
            self.refused += 1
            raise self.failures[0]

    def release_object(self, claimed: JobObject, *, retry_us: Instant) -> None:
        self.require_available()
        self.released.append((claimed.source, retry_us - NOW_US))

    def park_object(self, job_id: str, source: str, *, now_us: Instant) -> bool:
        assert (job_id, now_us) == ("j", NOW_US)
        self.require_available()
        self.parked.append(source)
        return True


@dataclass
class Server:
    """A started pool with its drain."""

    pool: WorkerPool
    drain: JobDrain
    queue: Queue


@asynccontextmanager
async def serving(
    fleet: Fleet, *, size: int = 2, limit: int = 1, queue: int = 8
) -> AsyncIterator[Server]:
    objects = Queue(fleet)
    port: JobQueue = objects
    drain = JobDrain(port, workers=size, limit=limit, clock=lambda: NOW_US)
    pool = fleet.pool(size=size, queue=queue, take_background=drain.take)
    await pool.start()
    watch = asyncio.create_task(drain.watch(pool.wake))
    try:
        yield Server(pool, drain, objects)
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch


def test_idle_workers_process_every_waiting_object() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(5)
        fleet.may_end.set()
        async with serving(fleet) as server:
            await until(lambda: len(fleet.processed) == 5)
            await until(lambda: not server.drain.running)
            assert server.queue.released == []

    run(test)


def test_an_object_that_is_added_later_is_noticed_immediately(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job_drain, "POLL_S", 3600)
    monkeypatch.setattr(worker_pool, "IDLE_CHECK_S", 3600)

    async def test(fleet: Fleet) -> None:
        fleet.may_end.set()
        async with serving(fleet) as server:
            await until(lambda: server.queue.asked == 1)
            fleet.objects = objects(1)
            server.drain.add()
            await until(lambda: fleet.processed == ["0"])

    run(test)


def test_no_more_workers_than_the_limit_process_objects() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(9)
        async with serving(fleet, size=4, limit=3) as server:
            await until(lambda: len(fleet.processed) == 3)
            await until(lambda: server.queue.asked > 3)
            assert server.drain.running == 3
            fleet.may_end.set()
            await until(lambda: len(fleet.processed) == 9)

    run(test)


def test_objects_use_no_slot_of_the_queue() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(9)
        async with serving(fleet, size=1, queue=2) as server:
            await until(lambda: fleet.processed == ["0"])
            assert server.pool.state().busy == 0
            calls = [send(server.pool, b"%d" % n) for n in range(3)]  # one worker, two slots
            await asyncio.sleep(0)
            with pytest.raises(OverloadedError):
                server.pool.require_slot("a")
            assert server.pool.state().waiting == 3
            fleet.may_answer.set()
            fleet.may_end.set()
            assert await asyncio.gather(*calls) == [REPLY] * 3

    run(test)


def test_waiting_requests_start_before_the_next_object() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(9)
        async with serving(fleet, size=1) as server:
            await until(lambda: fleet.processed == ["0"])
            calls = [send(server.pool, b"%d" % n, account=f"{n}") for n in range(4)]
            await asyncio.sleep(0)
            fleet.may_end.set()
            fleet.may_answer.set()
            for call in calls:
                await call
                assert fleet.processed == ["0"]
            assert fleet.seen == [b"0", b"1", b"2", b"3"]
            await until(lambda: len(fleet.processed) == 9)

    run(test)


def test_one_worker_stays_free_while_requests_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair_queue, "KEEP_S", 3600)

    async def test(fleet: Fleet) -> None:
        fleet.may_answer.set()
        async with serving(fleet, size=2, limit=2) as server:
            assert await send(server.pool) == REPLY
            fleet.objects = objects(9)
            server.drain.add()
            await until(lambda: len(fleet.processed) == 1)
            for _ in range(20):  # each request gets a worker, although the object never ends
                assert await send(server.pool) == REPLY
                assert len(fleet.processed) == 1
            monkeypatch.setattr(fair_queue, "KEEP_S", 0)
            await until(lambda: len(fleet.processed) == 2)

    run(test)


def test_the_only_worker_stays_free_while_requests_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair_queue, "KEEP_S", 3600)

    async def test(fleet: Fleet) -> None:
        fleet.may_answer.set()
        async with serving(fleet, size=1) as server:
            assert await send(server.pool) == REPLY
            fleet.objects = objects(1)
            server.drain.add()
            for _ in range(20):
                assert await send(server.pool) == REPLY
                assert fleet.processed == []
            monkeypatch.setattr(fair_queue, "KEEP_S", 0)
            await until(lambda: fleet.processed == ["0"])

    run(test)


def test_an_object_whose_worker_fails_is_released_and_the_worker_replaced() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(2)
        fleet.outcomes = [EOFError()]
        fleet.may_end.set()
        async with serving(fleet, size=1) as server:
            await until(lambda: len(fleet.processed) == 2)
            await until(lambda: bool(server.queue.released))
            assert server.queue.released == [("0", retry_pause_s(1) * SECOND_US)]
            assert [worker.is_killed for worker in fleet.workers] == [True, False]
            fleet.may_answer.set()
            assert await send(server.pool) == REPLY

    run(test)


def test_an_object_to_be_retried_is_released_with_a_pause() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(1, attempts=2)
        fleet.outcomes = [Outcome.RETRY]
        fleet.may_end.set()
        async with serving(fleet) as server:
            await until(lambda: bool(server.queue.released))
            assert server.queue.released == [("0", retry_pause_s(2) * SECOND_US)]

    run(test)


def test_ended_and_parked_objects_are_not_released() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(3)
        fleet.outcomes = [Outcome.ENDED, Outcome.PARKED]
        fleet.may_end.set()
        async with serving(fleet) as server:
            await until(lambda: len(fleet.processed) == 3)
            await server.drain.stop(5)
            assert (server.queue.released, server.queue.parked) == ([], [])

    run(test)


def test_each_final_row_is_measured_and_a_failed_measurement_stops_no_worker() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(4)
        fleet.outcomes = [Outcome.RETRY, Outcome.PARKED]
        fleet.may_end.set()
        measured: list[tuple[str, float]] = []

        def observe(row: JobObject, steps_ms: Mapping[str, float]) -> None:
            measured.append((row.source, steps_ms["matte"]))
            raise ZeroDivisionError

        async with serving(fleet, size=1) as server:
            server.drain.observe = observe
            await until(lambda: len(measured) == 2)
            assert measured == [("2", 1.0), ("3", 1.0)]
            fleet.may_answer.set()
            assert await send(server.pool) == REPLY
            assert len(fleet.workers) == 1

    run(test)


@pytest.mark.parametrize("error", [UnavailableError("down"), ZeroDivisionError()])
def test_requests_to_a_store_that_fails_are_repeated_until_it_responds(
    caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(1)
        fleet.may_end.set()
        async with serving(fleet) as server:
            server.queue.failures = [error]
            await until(lambda: server.queue.asked > 5)
            server.queue.failures = []
            await until(lambda: fleet.processed == ["0"])
        assert sum("cannot be read" in record.message for record in caplog.records) <= 1

    run(test)


def test_an_object_whose_store_was_unavailable_is_released_and_its_attempt_does_not_count() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(1)
        fleet.outcomes = [Outcome.WAIT]
        fleet.may_end.set()
        async with serving(fleet) as server:
            await until(lambda: server.queue.parked == ["0"])
            assert server.queue.released == []

    run(test)


@pytest.mark.parametrize("outcome", [Outcome.RETRY, Outcome.WAIT])
def test_a_release_is_repeated_until_the_store_responds_and_delays_no_request(
    outcome: Outcome,
) -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(1)
        fleet.outcomes = [outcome]
        fleet.may_answer.set()
        async with serving(fleet, size=1) as server:
            await until(lambda: fleet.processed == ["0"])
            server.queue.failures = [UnavailableError("down")]
            fleet.may_end.set()
            await until(lambda: server.queue.refused > 2)
            assert await send(server.pool) == REPLY
            server.queue.failures = []
            await until(lambda: bool(server.queue.released or server.queue.parked))
            assert len(fleet.workers) == 1

    run(test)


def test_a_stop_waits_only_for_one_attempt_to_release_an_object() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(1)
        fleet.outcomes = [Outcome.RETRY]
        async with serving(fleet, size=1) as server:
            await until(lambda: fleet.processed == ["0"])
            server.queue.failures = [UnavailableError("down")]
            fleet.may_end.set()
            await server.drain.stop(20)
            assert server.queue.refused

    run(test)


def test_a_stop_waits_for_running_objects_and_starts_no_more() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(9)
        async with serving(fleet) as server:
            await until(lambda: fleet.processed == ["0"])
            stop = asyncio.create_task(server.drain.stop(20))
            await asyncio.sleep(0.02)
            assert not stop.done()
            fleet.may_end.set()
            await stop
            server.drain.add()
            await asyncio.sleep(0.05)
            assert fleet.processed == ["0"]
            assert (server.queue.released, server.queue.parked) == ([], [])

    run(test)


def test_a_stop_releases_objects_that_do_not_end_in_time_and_their_attempt_does_not_count() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(9)
        async with serving(fleet, size=3, limit=2) as server:
            await until(lambda: len(fleet.processed) == 2)
            await server.drain.stop(0.01)
            assert sorted(server.queue.parked) == ["0", "1"]
            assert server.queue.released == []

    run(test)


def test_only_attempts_that_process_an_object_have_growing_pauses() -> None:
    pauses = [retry_pause_s(attempts) for attempts in range(1, MAX_ATTEMPTS)]
    assert pauses == sorted(pauses)
    assert retry_pause_s(0) == pauses[0]
    assert retry_pause_s(MAX_ATTEMPTS) == retry_pause_s(99) < pauses[-1]

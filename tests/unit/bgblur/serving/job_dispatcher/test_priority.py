"""Photos of jobs in the worker pool, with a lower priority than requests."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.bgblur.serving.fake_workers import REPLY, Fleet, run, send, until
from tests.unit.bgblur.serving.job_dispatcher.conftest import objects, serving

from bgblur.serving import fair_queue, job_dispatcher, worker_pool
from blur.errors import OverloadedError


def test_idle_workers_process_every_waiting_photo_of_a_job() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(5)
        fleet.can_end.set()
        async with serving(fleet) as server:
            await until(lambda: len(fleet.processed) == 5)
            await until(lambda: not server.dispatcher.running)
            assert server.queue.released == []

    run(test)


def test_a_photo_that_is_added_later_is_processed_before_the_next_poll(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(job_dispatcher, "POLL_S", 3600)
    monkeypatch.setattr(worker_pool, "IDLE_CHECK_S", 3600)

    async def test(fleet: Fleet) -> None:
        fleet.can_end.set()
        async with serving(fleet) as server:
            await until(lambda: server.queue.asked == 1)
            fleet.objects = objects(1)
            server.dispatcher.add()
            await until(lambda: fleet.processed == ["0"])

    run(test)


def test_the_number_of_workers_that_process_photos_of_jobs_is_limited() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(9)
        async with serving(fleet, size=4, limit=3) as server:
            await until(lambda: len(fleet.processed) == 3)
            await until(lambda: server.queue.asked > 3)
            assert server.dispatcher.running == 3
            fleet.can_end.set()
            await until(lambda: len(fleet.processed) == 9)

    run(test)


def test_photos_of_jobs_use_no_slot_of_the_queue() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(9)
        async with serving(fleet, size=1, queue=2) as server:
            await until(lambda: fleet.processed == ["0"])
            assert server.pool.state().busy == 0
            # One request for the worker, and two for the slots of the queue.
            calls = [send(server.pool, b"%d" % n) for n in range(3)]
            await asyncio.sleep(0)
            with pytest.raises(OverloadedError):
                server.pool.require_slot("a")
            assert server.pool.state().waiting == 3
            fleet.can_respond.set()
            fleet.can_end.set()
            assert await asyncio.gather(*calls) == [REPLY] * 3

    run(test)


def test_waiting_requests_start_before_the_next_photo_of_a_job() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.objects = objects(9)
        async with serving(fleet, size=1) as server:
            await until(lambda: fleet.processed == ["0"])
            calls = [send(server.pool, b"%d" % n, account=f"{n}") for n in range(4)]
            await asyncio.sleep(0)
            fleet.can_end.set()
            fleet.can_respond.set()
            for call in calls:
                await call
                assert fleet.processed == ["0"]
            assert fleet.seen == [b"0", b"1", b"2", b"3"]
            await until(lambda: len(fleet.processed) == 9)

    run(test)


def test_one_of_two_workers_processes_no_photos_of_jobs_while_requests_arrive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fair_queue, "KEEP_SHARE_S", 3600)

    async def test(fleet: Fleet) -> None:
        fleet.can_respond.set()
        async with serving(fleet, size=2, limit=2) as server:
            assert await send(server.pool) == REPLY
            fleet.objects = objects(9)
            server.dispatcher.add()
            await until(lambda: len(fleet.processed) == 1)
            for _ in range(20):  # each request gets a worker, but the job's photo stays in progress
                assert await send(server.pool) == REPLY
                assert len(fleet.processed) == 1
            monkeypatch.setattr(fair_queue, "KEEP_SHARE_S", 0)
            await until(lambda: len(fleet.processed) == 2)

    run(test)


def test_the_only_worker_gets_no_object_while_requests_keep_arriving(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fair_queue, "KEEP_SHARE_S", 3600)

    async def test(fleet: Fleet) -> None:
        fleet.can_respond.set()
        async with serving(fleet, size=1) as server:
            assert await send(server.pool) == REPLY
            fleet.objects = objects(1)
            server.dispatcher.add()
            for _ in range(20):
                assert await send(server.pool) == REPLY
                assert fleet.processed == []
            monkeypatch.setattr(fair_queue, "KEEP_SHARE_S", 0)
            await until(lambda: fleet.processed == ["0"])

    run(test)

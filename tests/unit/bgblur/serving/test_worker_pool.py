"""The queue of the worker pool: waiting, rejected and cancelled requests."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from tests.unit.bgblur.serving.fake_workers import REPLY, Fleet, request, run, send, started, until

from bgblur.serving import worker_pool
from bgblur.serving.proxy_events import ClientDisconnected, ClientState
from blur.errors import OverloadedError

pytestmark = pytest.mark.usefixtures("short_pauses")


def test_workers_get_the_requests_of_an_account_in_the_order_of_their_arrival() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool(size=2, queue=2))
        tasks = [send(pool, b"%d" % n) for n in range(4)]
        await until(lambda: fleet.seen == [b"0", b"1"])
        fleet.can_respond.set()
        assert await asyncio.gather(*tasks) == [REPLY] * 4
        assert fleet.seen == [b"0", b"1", b"2", b"3"]

    run(test)


def test_if_the_queue_is_full_a_request_is_rejected_with_the_expected_wait() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool(queue=1))
        tasks = [send(pool) for _ in range(2)]
        await until(lambda: len(fleet.seen) == 1)
        with pytest.raises(OverloadedError) as caught:
            await pool.respond(request(), account="a")
        assert (
            caught.value.retry_after_s == 2
        )  # two requests are ahead; at first, each request is expected to take one second
        with pytest.raises(OverloadedError):
            pool.require_slot("a")
        fleet.can_respond.set()
        await asyncio.gather(*tasks)
        pool.require_slot("a")

    run(test)


def test_the_time_to_wait_depends_on_how_long_requests_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticks = iter(range(0, 1000, 10))
    monkeypatch.setattr(worker_pool, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))

    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool(queue=0))
        fleet.can_respond.set()
        for _ in range(20):
            await pool.respond(request())
        fleet.can_respond.clear()
        task = send(pool)
        await until(lambda: len(fleet.seen) == 21)
        with pytest.raises(OverloadedError) as caught:
            pool.require_slot()
        assert caught.value.retry_after_s == 10
        fleet.can_respond.set()
        await task

    run(test)


def test_a_new_account_takes_the_last_slot_of_the_account_with_the_most_slots() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool(queue=3))
        tasks = [send(pool, b"a%d" % n) for n in range(4)]
        await until(lambda: fleet.seen == [b"a0"])
        newcomer = send(pool, b"b0", account="b")
        with pytest.raises(OverloadedError):
            await tasks[3]
        fleet.can_respond.set()
        assert [await task for task in (*tasks[:3], newcomer)] == [REPLY] * 4
        assert fleet.seen[1] == b"b0"
        assert b"a3" not in fleet.seen

    run(test)


def test_a_request_that_waits_longer_than_the_limit_is_rejected() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool(max_wait_s=0.05))
        first = send(pool, b"first")
        await until(lambda: fleet.seen == [b"first"])
        with pytest.raises(OverloadedError) as caught:
            await send(pool, b"second")
        assert caught.value.retry_after_s
        assert not first.done()
        fleet.can_respond.set()
        assert await first == REPLY
        assert fleet.seen == [b"first"]

    run(test)


def test_a_waiting_request_is_dropped_when_its_client_disconnects() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool(queue=1))
        first, client = send(pool, b"first"), ClientState()
        second = send(pool, b"second", client=client)
        await until(lambda: fleet.seen == [b"first"])
        client.disconnected.set()
        with pytest.raises(ClientDisconnected):
            await second
        pool.require_slot("a")  # the slot is free immediately
        fleet.can_respond.set()
        assert await first == REPLY
        assert (fleet.seen, fleet.disconnected) == ([b"first"], [])

    run(test)


def test_the_worker_of_a_running_request_is_informed_that_its_client_disconnected() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool())
        client = ClientState()
        first = send(pool, b"first", client=client)
        await until(lambda: fleet.seen == [b"first"])
        client.disconnected.set()
        await until(lambda: fleet.disconnected == [b"first"])
        fleet.can_respond.set()
        assert await first == REPLY

    run(test)


def test_a_disconnect_after_the_response_affects_no_later_request() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool())
        clients = [ClientState(), ClientState()]
        tasks = [send(pool, b"%d" % n, client=clients[n]) for n in range(2)]
        await until(lambda: fleet.seen == [b"0"])
        fleet.can_respond.set()
        await until(lambda: fleet.seen == [b"0", b"1"])
        clients[0].disconnected.set()
        assert await asyncio.gather(*tasks) == [REPLY] * 2
        assert fleet.disconnected == []

    run(test)


def test_a_cancelled_waiting_request_frees_its_slot() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool(queue=1))
        first, second = send(pool, b"first"), send(pool, b"second")
        await until(lambda: fleet.seen == [b"first"])
        second.cancel()
        await asyncio.sleep(0)
        third = send(pool, b"third")
        fleet.can_respond.set()
        assert [await first, await third] == [REPLY] * 2
        assert fleet.seen == [b"first", b"third"]

    run(test)


def test_a_cancelled_running_request_leaves_its_worker_usable() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool(queue=1))
        first = send(pool, b"first")
        await until(lambda: fleet.seen == [b"first"])
        first.cancel()
        second = send(pool, b"second")
        fleet.can_respond.set()
        assert await second == REPLY
        assert len(fleet.workers) == 1

    run(test)

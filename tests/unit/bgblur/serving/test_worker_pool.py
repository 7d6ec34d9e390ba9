"""The worker pool: waiting and rejected requests, and failing workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bgblur.serving import worker_pool
from bgblur.serving.proxy import ClientDisconnected, ClientState, Reply, Request
from bgblur.serving.worker import NotAcceptedError
from bgblur.serving.worker_main import StartError
from bgblur.serving.worker_pool import WorkerPool
from blur.errors import LostError, OverloadedError

if TYPE_CHECKING:
    from bgblur.serving.worker import Worker

REPLY = Reply(200, [], b"done")
FAILURES = [
    StartError("no model"),
    BlockingIOError(11, "Resource temporarily unavailable"),
    MemoryError(),
    RuntimeError("can't start new thread"),
    TimeoutError(),
    EOFError(),
    KeyError("unexpected"),
    AssertionError(),
]


def request(body: bytes = b"") -> Request:
    return Request("id", "1.1", "POST", "/", b"", [], "127.0.0.1", body)


class Fleet:
    """Workers without processes, which respond when the test allows it, or fail."""

    def __init__(self) -> None:
        self.workers: list[FakeWorker] = []
        self.seen: list[bytes] = []
        self.may_answer = asyncio.Event()
        self.start_failures: list[Exception] = []
        self.answer_failures: list[Exception] = []
        self.kill_failures: list[Exception] = []
        self.disconnected: list[bytes] = []

    def new_worker(self) -> Worker:
        self.workers.append(FakeWorker(self))
        return cast("Worker", self.workers[-1])

    def pool(self, *, size: int = 1, queue: int = 8, max_wait_s: float = 60) -> WorkerPool:
        return WorkerPool(
            self.new_worker, name="test", size=size, queue=queue, max_wait_s=max_wait_s
        )


class FakeWorker:
    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.is_running = False
        self.is_killed = False
        self.body = b""

    async def start(self) -> None:
        await asyncio.sleep(0)
        if self.fleet.start_failures:
            raise self.fleet.start_failures.pop(0)
        self.is_running = True

    async def answer(self, request: Request, client: ClientState) -> Reply:
        del client
        self.body = request.body
        self.fleet.seen.append(request.body)
        if self.fleet.answer_failures:
            self.is_running = False
            raise self.fleet.answer_failures.pop(0)
        await self.fleet.may_answer.wait()
        return REPLY

    def disconnect_client(self) -> None:
        self.fleet.disconnected.append(self.body)

    def is_alive(self) -> bool:
        return self.is_running

    def kill(self) -> None:
        self.is_killed = True
        if self.fleet.kill_failures:
            raise self.fleet.kill_failures.pop(0)

    def stop(self) -> None:
        raise BrokenPipeError

    def close(self) -> None:
        self.kill()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "RESTART_PAUSES_S", (0.0, 0.0, 0.001))
    monkeypatch.setattr(worker_pool, "IDLE_CHECK_S", 0.01)


def run(test: Callable[[Fleet], Coroutine[Any, Any, None]]) -> None:
    async def with_fleet() -> None:
        await asyncio.wait_for(test(Fleet()), 20)

    asyncio.run(with_fleet())


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - a condition over several objects
        await asyncio.sleep(0.001)


def send(
    pool: WorkerPool, body: bytes = b"", account: str = "a", client: ClientState | None = None
) -> asyncio.Task[Reply]:
    return asyncio.create_task(pool.answer(request(body), account=account, client=client))


async def started(pool: WorkerPool) -> WorkerPool:
    await pool.start()
    return pool


def test_requests_of_an_account_start_in_order() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool(size=2, queue=2))
        tasks = [send(pool, b"%d" % n) for n in range(4)]
        await until(lambda: fleet.seen == [b"0", b"1"])
        fleet.may_answer.set()
        assert await asyncio.gather(*tasks) == [REPLY] * 4
        assert fleet.seen == [b"0", b"1", b"2", b"3"]

    run(test)


def test_a_request_without_a_slot_is_rejected_with_the_time_to_wait() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool(queue=1))
        tasks = [send(pool) for _ in range(2)]
        await until(lambda: len(fleet.seen) == 1)
        with pytest.raises(OverloadedError) as caught:
            await pool.answer(request(), account="a")
        assert (
            caught.value.retry_after_s == 2
        )  # two before it; the first estimate is one second each
        with pytest.raises(OverloadedError):
            pool.require_slot("a")
        fleet.may_answer.set()
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
        fleet.may_answer.set()
        for _ in range(20):
            await pool.answer(request())
        fleet.may_answer.clear()
        task = send(pool)
        await until(lambda: len(fleet.seen) == 21)
        with pytest.raises(OverloadedError) as caught:
            pool.require_slot()
        assert caught.value.retry_after_s == 10
        fleet.may_answer.set()
        await task

    run(test)


def test_a_new_account_takes_the_last_slot_of_the_account_with_the_most() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool(queue=3))
        tasks = [send(pool, b"a%d" % n) for n in range(4)]
        await until(lambda: fleet.seen == [b"a0"])
        newcomer = send(pool, b"b0", account="b")
        with pytest.raises(OverloadedError):
            await tasks[3]
        fleet.may_answer.set()
        assert [await task for task in (*tasks[:3], newcomer)] == [REPLY] * 4
        assert fleet.seen[1] == b"b0"
        assert b"a3" not in fleet.seen

    run(test)


def test_a_request_waits_for_a_limited_time() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool(max_wait_s=0.05))
        first = send(pool, b"first")
        await until(lambda: fleet.seen == [b"first"])
        with pytest.raises(OverloadedError) as caught:
            await send(pool, b"second")
        assert caught.value.retry_after_s
        assert not first.done()
        fleet.may_answer.set()
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
        pool.require_slot("a")  # at once
        fleet.may_answer.set()
        assert await first == REPLY
        assert (fleet.seen, fleet.disconnected) == ([b"first"], [])

    run(test)


def test_the_handler_of_a_running_request_sees_the_disconnect() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool())
        client = ClientState()
        first = send(pool, b"first", client=client)
        await until(lambda: fleet.seen == [b"first"])
        client.disconnected.set()
        await until(lambda: fleet.disconnected == [b"first"])
        fleet.may_answer.set()
        assert await first == REPLY

    run(test)


def test_a_disconnect_after_the_response_affects_no_later_request() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool())
        clients = [ClientState(), ClientState()]
        tasks = [send(pool, b"%d" % n, client=clients[n]) for n in range(2)]
        await until(lambda: fleet.seen == [b"0"])
        fleet.may_answer.set()
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
        fleet.may_answer.set()
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
        fleet.may_answer.set()
        assert await second == REPLY
        assert len(fleet.workers) == 1

    run(test)


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
def test_a_worker_that_fails_at_a_request_loses_only_that_one_and_is_replaced(
    failure: Exception,
) -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool())
        fleet.answer_failures, fleet.kill_failures = [failure], [PermissionError()]
        lost, other = send(pool, b"lost"), send(pool, b"other")
        with pytest.raises(LostError):
            await lost
        fleet.may_answer.set()
        assert await other == REPLY
        assert fleet.seen == [b"lost", b"other"]
        assert [worker.is_killed for worker in fleet.workers] == [True, False]

    run(test)


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
def test_a_worker_is_restarted_until_it_starts(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool())
        fleet.answer_failures, fleet.start_failures = [EOFError()], [failure] * 5
        with pytest.raises(LostError):
            await pool.answer(request(b"lost"))
        fleet.may_answer.set()
        assert await send(pool, b"next") == REPLY
        assert len(fleet.workers) == 7
        assert len(caplog.records) == 6  # one for the lost request, five for the starts

    run(test)


def test_pauses_between_restarts_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool())
        sleep = asyncio.sleep

        async def record(pause_s: float) -> None:
            pauses.append(pause_s)
            await sleep(0)

        monkeypatch.setattr(worker_pool, "RESTART_PAUSES_S", (0, 0, 1, 2, 30))
        monkeypatch.setattr(asyncio, "sleep", record)
        fleet.workers[0].is_running = False
        fleet.start_failures = [OSError()] * 5
        fleet.may_answer.set()
        assert await send(pool) == REPLY

    run(test)
    assert [pause_s for pause_s in pauses if pause_s] == [1, 2, 30, 30, 30]


def test_requests_are_rejected_at_once_while_no_worker_starts() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool(size=2, queue=2))
        fleet.start_failures = [OSError()] * 100
        for worker in fleet.workers:
            worker.is_running = False
        waiting = send(pool)
        await until(lambda: len(fleet.start_failures) < 95)
        with pytest.raises(OverloadedError) as caught:
            pool.require_slot("b")
        assert caught.value.retry_after_s
        fleet.start_failures.clear()
        fleet.may_answer.set()
        assert await waiting == REPLY
        pool.require_slot("b")

    run(test)


def test_an_idle_worker_that_ends_loses_no_request() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool())
        fleet.workers[0].is_running = False
        fleet.may_answer.set()
        assert await send(pool) == REPLY
        assert len(fleet.workers) == 2

    run(test)


def test_an_idle_worker_that_ends_is_replaced_at_once() -> None:
    async def test(fleet: Fleet) -> None:
        await started(fleet.pool())
        fleet.workers[0].is_running = False
        await until(lambda: len(fleet.workers) == 2)

    run(test)


def test_a_request_that_was_not_accepted_goes_to_the_next_worker() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool())
        fleet.answer_failures = [NotAcceptedError("BrokenPipeError")] * 3
        fleet.may_answer.set()
        assert await send(pool, b"first") == REPLY
        assert (fleet.seen, len(fleet.workers)) == ([b"first"] * 4, 4)

    run(test)


def test_a_request_without_a_client_does_not_go_to_another_worker() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool(max_wait_s=0))
        fleet.answer_failures = [NotAcceptedError("EOFError")] * 3
        client, late = ClientState(), send(pool, b"late")
        client.disconnected.set()
        with pytest.raises(OverloadedError):
            await late
        with pytest.raises((ClientDisconnected, OverloadedError)):
            await send(pool, b"gone", client=client)

    run(test)


def test_a_pool_does_not_start_if_one_worker_does_not_start() -> None:
    async def test(fleet: Fleet) -> None:
        fleet.start_failures = [StartError("no model")]
        with pytest.raises(StartError, match="no model"):
            await fleet.pool(size=2).start()

    run(test)


def test_closing_ends_every_worker_even_if_some_have_ended() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool(size=3))
        pool.close()
        assert [worker.is_killed for worker in fleet.workers] == [True] * 3

    run(test)

"""How the worker pool handles failing workers."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.bgblur.serving.fake_workers import REPLY, Fleet, request, run, send, started, until

from bgblur.serving import worker_pool
from bgblur.serving.proxy_events import ClientDisconnected, ClientState
from bgblur.serving.worker import NotAcceptedError
from bgblur.serving.worker_main import StartError
from blur.accounts.lost_calls import StartedCall
from blur.accounts.model import Hold, Instant
from blur.credits import ONE
from blur.errors import OverloadedError, ResponseLostError

STARTED = StartedCall(Hold("hold", "acct", "digest", ONE, Instant(0)), None)
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

pytestmark = pytest.mark.usefixtures("short_pauses")


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
def test_a_worker_that_fails_loses_only_its_current_request_and_is_replaced(
    failure: Exception,
) -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool())
        fleet.answer_failures, fleet.kill_failures = [failure], [PermissionError()]
        lost, other = send(pool, b"lost"), send(pool, b"other")
        with pytest.raises(ResponseLostError):
            await lost
        fleet.can_respond.set()
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
        with pytest.raises(ResponseLostError):
            await pool.respond(request(b"lost"))
        fleet.can_respond.set()
        assert await send(pool, b"next") == REPLY
        assert len(fleet.workers) == 7
        assert len(caplog.records) == 6  # one log line for the lost request, five for failed starts

    run(test)


def test_pauses_between_restarts_of_a_worker_grow(monkeypatch: pytest.MonkeyPatch) -> None:
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
        fleet.can_respond.set()
        assert await send(pool) == REPLY

    run(test)
    assert [pause_s for pause_s in pauses if pause_s] == [1, 2, 30, 30, 30]


def test_requests_are_rejected_immediately_while_no_worker_can_start() -> None:
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
        fleet.can_respond.set()
        assert await waiting == REPLY
        pool.require_slot("b")

    run(test)


def test_a_request_gets_its_response_even_if_the_only_idle_worker_has_ended() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool())
        fleet.workers[0].is_running = False
        fleet.can_respond.set()
        assert await send(pool) == REPLY
        assert len(fleet.workers) == 2

    run(test)


def test_the_next_worker_that_starts_rolls_back_the_call_of_a_failed_worker_once() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool())
        fleet.answer_failures, fleet.start_failures = [EOFError()], [StartError("no memory")]
        fleet.started_calls = [STARTED]
        fleet.can_respond.set()
        with pytest.raises(ResponseLostError):
            await send(pool)
        assert await send(pool) == REPLY
        assert fleet.rolled_back == [STARTED]
        fleet.answer_failures = [EOFError()]  # this call has no hold yet
        with pytest.raises(ResponseLostError):
            await send(pool)
        assert await send(pool) == REPLY
        assert fleet.rolled_back == [STARTED]

    run(test)


def test_an_idle_worker_that_ends_is_replaced_immediately() -> None:
    async def test(fleet: Fleet) -> None:
        await started(fleet.pool())
        fleet.workers[0].is_running = False
        await until(lambda: len(fleet.workers) == 2)

    run(test)


def test_a_request_that_a_worker_did_not_accept_goes_to_the_next_worker() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool())
        fleet.answer_failures = [NotAcceptedError("BrokenPipeError")] * 3
        fleet.can_respond.set()
        assert await send(pool, b"first") == REPLY
        assert (fleet.seen, len(fleet.workers)) == ([b"first"] * 4, 4)

    run(test)


def test_a_request_that_no_worker_accepted_fails_if_it_is_late_or_its_client_disconnected() -> None:
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


def test_closing_the_pool_kills_every_worker_even_if_stopping_a_worker_fails() -> None:
    async def test(fleet: Fleet) -> None:
        pool = await started(fleet.pool(size=3))
        pool.close()
        assert [worker.is_killed for worker in fleet.workers] == [True] * 3

    run(test)

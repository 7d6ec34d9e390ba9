"""The queue before the processes, and what becomes of one that is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from bgblur.serving import crew as crews
from bgblur.serving.child import StartError
from bgblur.serving.crew import Crew
from bgblur.serving.proxy import Reply, Request
from blur.errors import LostError, OverloadedError

if TYPE_CHECKING:
    from bgblur.serving.environment import Environment

REPLY = Reply(200, [], b"done")


def request(body: bytes = b"") -> Request:
    return Request("id", "1.1", "POST", "/", b"", [], "127.0.0.1", body)


class Worker:
    """An environment without a process: it answers when it is told to."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.may_answer = asyncio.Event()
        self.starts = 0
        self.failing_starts = 0

    async def start(self) -> None:
        self.starts += 1
        if self.failing_starts >= self.starts:
            message = "no model"
            raise StartError(message)

    async def restart(self) -> None:
        await self.start()

    async def answer(self, request: Request) -> Reply:
        self.seen.append(request.body)
        if request.body == b"deadly":
            raise LostError
        await self.may_answer.wait()
        return REPLY

    def close(self) -> None:
        self.may_answer.set()


def crew_of(*workers: Worker, queue: int) -> Crew:
    return Crew([cast("Environment", worker) for worker in workers], queue=queue)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 10))


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - of two workers, no event tells it
        await asyncio.sleep(0.001)


def test_requests_go_to_whoever_is_free_and_wait_in_their_order() -> None:
    async def test() -> None:
        first, second = Worker(), Worker()
        crew = crew_of(first, second, queue=2)
        await crew.start()
        tasks = [asyncio.create_task(crew.answer(request(b"%d" % n))) for n in range(4)]
        await until(lambda: first.seen + second.seen == [b"0", b"1"])
        second.may_answer.set()
        await until(lambda: second.seen == [b"1", b"2", b"3"])
        first.may_answer.set()
        assert await asyncio.gather(*tasks) == [REPLY] * 4

    run(test)


def test_one_more_than_there_is_room_for_is_refused_with_the_time_to_wait() -> None:
    async def test() -> None:
        worker = Worker()
        crew = crew_of(worker, queue=1)
        await crew.start()
        tasks = [asyncio.create_task(crew.answer(request())) for _ in range(2)]
        await until(lambda: len(worker.seen) == 1)
        with pytest.raises(OverloadedError) as caught:
            await crew.answer(request())
        assert caught.value.retry_after_s == 2  # two before it, a second each until one is known
        with pytest.raises(OverloadedError):
            crew.require_place()
        worker.may_answer.set()
        await asyncio.gather(*tasks)
        crew.require_place()

    run(test)


def test_the_time_to_wait_follows_how_long_requests_take(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(0, 1000, 10))
    monkeypatch.setattr(crews, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))

    async def test() -> None:
        worker = Worker()
        crew = crew_of(worker, queue=0)
        await crew.start()
        worker.may_answer.set()
        for _ in range(20):
            await crew.answer(request())
        worker.may_answer.clear()
        task = asyncio.create_task(crew.answer(request()))
        await until(lambda: len(worker.seen) == 21)
        with pytest.raises(OverloadedError) as caught:
            crew.require_place()
        assert caught.value.retry_after_s == 10
        worker.close()
        await task

    run(test)


def test_a_process_that_is_lost_fails_its_own_request_alone_and_is_replaced() -> None:
    async def test() -> None:
        worker = Worker()
        crew = crew_of(worker, queue=1)
        await crew.start()
        deadly = asyncio.create_task(crew.answer(request(b"deadly")))
        other = asyncio.create_task(crew.answer(request(b"other")))
        with pytest.raises(LostError):
            await deadly
        worker.may_answer.set()
        assert await other == REPLY
        assert (worker.starts, worker.seen) == (2, [b"deadly", b"other"])

    run(test)


def test_a_process_that_does_not_start_again_is_tried_until_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crews, "RESTART_PAUSE_S", 0.001)

    async def test() -> None:
        worker = Worker()
        crew = crew_of(worker, queue=1)
        await crew.start()
        worker.failing_starts = 4
        with pytest.raises(LostError):
            await crew.answer(request(b"deadly"))
        worker.may_answer.set()
        assert await crew.answer(request()) == REPLY
        assert worker.starts == 5

    run(test)

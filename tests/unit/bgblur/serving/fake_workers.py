"""Fake workers without processes, and functions that run a worker pool with these workers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from bgblur.serving.object_worker import ObjectTaskResult
from bgblur.serving.proxy_events import ClientState, Reply, Request
from bgblur.serving.worker import nothing
from bgblur.serving.worker_pool import WorkerPool
from blur.jobs.model import ObjectState
from blur.jobs.runner import Outcome

if TYPE_CHECKING:
    from bgblur.serving.worker import NextBackgroundWork, Worker
    from blur.accounts.lost_calls import StartedCall
    from blur.jobs.model import JobObject


REPLY = Reply(200, [], b"done")


def request(body: bytes = b"") -> Request:
    return Request("id", "1.1", "POST", "/", b"", [], "127.0.0.1", body)


class Fleet:
    """Fake workers, and the events, outcomes and errors with which a test controls them."""

    def __init__(self) -> None:
        self.workers: list[FakeWorker] = []
        self.seen: list[bytes] = []
        self.started_calls: list[StartedCall] = []
        """For each of the next requests that fail, the call that its worker had started before."""
        self.rolled_back: list[StartedCall] = []
        self.can_respond = asyncio.Event()
        self.start_failures: list[Exception] = []
        self.answer_failures: list[Exception] = []
        self.kill_failures: list[Exception] = []
        self.disconnected: list[bytes] = []
        self.objects: list[JobObject] = []
        """The photos of jobs that workers can claim."""
        self.outcomes: list[Outcome | Exception] = []
        """The outcomes of the next photos; all later photos are processed without an error."""
        self.processed: list[str] = []
        """The sources of the claimed photos."""
        self.can_end = asyncio.Event()
        """A test sets this event to let the workers finish the claimed photos."""

    def new_worker(self) -> Worker:
        self.workers.append(FakeWorker(self))
        return cast("Worker", self.workers[-1])

    def pool(
        self,
        *,
        size: int = 1,
        queue: int = 8,
        max_wait_s: float = 60,
        next_background_work: NextBackgroundWork = nothing,
    ) -> WorkerPool:
        return WorkerPool(
            self.new_worker,
            name="test",
            size=size,
            queue=queue,
            max_wait_s=max_wait_s,
            next_background_work=next_background_work,
        )


class FakeWorker:
    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.is_running = False
        self.is_killed = False
        self.body = b""
        self.unfinished: StartedCall | None = None

    async def start(self, lost: StartedCall | None = None) -> None:
        await asyncio.sleep(0)
        if self.fleet.start_failures:
            raise self.fleet.start_failures.pop(0)
        self.is_running = True
        self.fleet.rolled_back += [lost] if lost else []

    async def respond(self, request: Request, client: ClientState) -> Reply:
        del client
        self.body = request.body
        self.fleet.seen.append(request.body)
        if self.fleet.answer_failures:
            self.is_running = False
            self.unfinished = self.fleet.started_calls.pop(0) if self.fleet.started_calls else None
            raise self.fleet.answer_failures.pop(0)
        await self.fleet.can_respond.wait()
        return REPLY

    async def process_object(
        self, on_claimed: Callable[[JobObject], None]
    ) -> ObjectTaskResult | None:
        await asyncio.sleep(0)
        if not self.fleet.objects:
            return None
        claimed = self.fleet.objects.pop(0)
        on_claimed(claimed)
        self.fleet.processed.append(claimed.source)
        await self.fleet.can_end.wait()
        outcome = self.fleet.outcomes.pop(0) if self.fleet.outcomes else Outcome.ENDED
        if isinstance(outcome, Exception):
            self.is_running = False
            raise outcome
        row = replace(claimed, state=ObjectState.DONE)
        return ObjectTaskResult(outcome, row if outcome is Outcome.ENDED else None, {"matte": 1.0})

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


def run(test: Callable[[Fleet], Coroutine[Any, Any, None]]) -> None:
    async def with_fleet() -> None:
        await asyncio.wait_for(test(Fleet()), 20)

    asyncio.run(with_fleet())


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - no single event shows when the condition holds
        await asyncio.sleep(0.001)


def send(
    pool: WorkerPool, body: bytes = b"", account: str = "a", client: ClientState | None = None
) -> asyncio.Task[Reply]:
    return asyncio.create_task(pool.respond(request(body), account=account, client=client))


async def started(pool: WorkerPool) -> WorkerPool:
    await pool.start()
    return pool

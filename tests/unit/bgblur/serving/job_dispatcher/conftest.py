"""A pool of fake workers, and a dispatcher that gives the photos of jobs to the pool."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from bgblur.serving import fair_queue, job_dispatcher
from bgblur.serving.job_dispatcher import JobDispatcher
from blur.accounts.model import Instant
from blur.jobs.model import Job, JobObject, ObjectState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.unit.bgblur.serving.fake_workers import Fleet

    from bgblur.serving.ports import JobQueue
    from bgblur.serving.worker_pool import WorkerPool

NOW_US = Instant(1_000_000_000)


@pytest.fixture(autouse=True)
def short_times(short_pauses: None, monkeypatch: pytest.MonkeyPatch) -> None:
    del short_pauses
    monkeypatch.setattr(job_dispatcher, "POLL_S", 0.01)
    monkeypatch.setattr(job_dispatcher, "RETRY_PAUSES_S", (0, 10, 1))
    monkeypatch.setattr(fair_queue, "KEEP_SHARE_S", 0.01)


def objects(count: int, *, attempts: int = 1) -> list[JobObject]:
    return [
        JobObject(job_id="j", source=f"{n}", state=ObjectState.WAITING, attempts=attempts)
        for n in range(count)
    ]


@dataclass
class Queue:
    """A fake of the store; its photos are `fleet.objects`, which the fake workers claim."""

    fleet: Fleet
    failures: list[Exception] = field(default_factory=list)
    released: list[tuple[str, int]] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    refused: int = 0
    asked: int = 0

    def find_job(self, job_id: str) -> Job:
        pytest.fail(f"JobDispatcher called find_job for {job_id}")

    def add_object(self, job_id: str, source: str, *, now_us: Instant) -> bool:
        pytest.fail(f"JobDispatcher called add_object for {source} in {job_id} at {now_us}")

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
    """A started pool, the `JobDispatcher` that gives it photos, and the queue of photos."""

    pool: WorkerPool
    dispatcher: JobDispatcher
    queue: Queue


@asynccontextmanager
async def serving(
    fleet: Fleet, *, size: int = 2, limit: int = 1, queue: int = 8
) -> AsyncIterator[Server]:
    objects = Queue(fleet)
    port: JobQueue = objects
    dispatcher = JobDispatcher(port, workers=size, limit=limit, clock=lambda: NOW_US)
    pool = fleet.pool(size=size, queue=queue, next_background_work=dispatcher.next_work)
    await pool.start()
    watch = asyncio.create_task(dispatcher.watch(pool.wake))
    try:
        yield Server(pool, dispatcher, objects)
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch

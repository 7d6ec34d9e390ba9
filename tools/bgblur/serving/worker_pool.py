"""The worker processes, and the queue of requests in front of them.

Each worker has a task that gives it one request after another. If the worker fails in any way, the
task kills it and starts another worker. If the new worker fails too, the pauses between the
attempts grow.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from bgblur.serving.fair_queue import KEEP_SHARE_S, FairQueue
from bgblur.serving.metrics import PoolState
from bgblur.serving.proxy_events import ClientDisconnected, ClientState
from bgblur.serving.worker import Call, IdleDeathError, NotAcceptedError, nothing
from blur.errors import OverloadedError, ResponseLostError

if TYPE_CHECKING:
    from bgblur.serving.proxy_events import Reply, Request
    from bgblur.serving.worker import NextBackgroundWork, Work, Worker

LOGGER = logging.getLogger(__name__)
RESTART_PAUSES_S = (0.0, 0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""The pauses before a worker is restarted, by its number of failures since its last response."""
IDLE_CHECK_S = 1.0  # the time between two checks of an idle worker
WEIGHT = 0.2  # the weight of the latest request in the average time per request


class WorkerPool:
    """Workers for the requests in a queue, and for background work when no request waits."""

    def __init__(  # noqa: PLR0913 - all callers name the arguments
        self,
        new_worker: Callable[[], Worker],
        *,
        name: str,
        size: int,
        queue: int,
        max_wait_s: float,
        next_background_work: NextBackgroundWork = nothing,
    ) -> None:
        """Create a pool of `size` workers; `queue` requests can wait, each up to `max_wait_s` s."""
        self._name = name
        self._new_worker = new_worker
        self._size = size
        self._max_wait_s = max_wait_s
        self._next_background = next_background_work
        self._queue: FairQueue[Call] = FairQueue(size + queue, workers=size)
        self._arrival = asyncio.Event()
        self._workers: set[Worker] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._failing: dict[int, float] = {}
        """Maps the number of each worker that does not start to the seconds until its next
        attempt."""
        self._typical_s = 1.0

    async def start(self) -> None:
        """Start all workers.

        Raises:
            StartError: a worker does not start.

        """
        workers = [self._create() for _ in range(self._size)]
        await asyncio.gather(*(worker.start() for worker in workers))
        self._tasks = [
            asyncio.create_task(self._supervise(number, worker))
            for number, worker in enumerate(workers)
        ]

    def require_slot(self, account: str = "") -> None:
        """Check whether a request of this account can be accepted now.

        Raises:
            OverloadedError: the queue is full, or no worker starts.

        """
        if len(self._failing) == self._size:
            raise OverloadedError(retry_after_s=math.ceil(max(self._failing.values())))
        if not self._queue.has_slot(account):
            raise self._overloaded()

    def state(self) -> PoolState:
        """Return the numbers of running workers, busy workers and waiting requests."""
        running = sum(worker.is_alive() for worker in self._workers)
        return PoolState(running, busy=self._queue.working, waiting=self._queue.waiting)

    async def respond(
        self, request: Request, *, account: str = "", client: ClientState | None = None
    ) -> Reply:
        """Return a worker's response.

        Raises:
            OverloadedError: the queue is full, or the request waited too long or lost its slot.
            ClientDisconnected: the client disconnected before a worker started the request.
            ResponseLostError: the worker failed during the request.

        """
        self.require_slot(account)
        loop = asyncio.get_running_loop()
        latest_start = loop.time() + self._max_wait_s
        call = Call(request, account, client or ClientState(), loop.create_future(), latest_start)
        if removed := self._queue.add(account, call):
            removed.fail(self._overloaded())
        self._arrival.set()
        timer = loop.call_at(latest_start, self._expire, call)
        watch = asyncio.create_task(self._watch_client(call))
        try:
            return await call.reply
        finally:
            timer.cancel()
            watch.cancel()
            self._queue.remove(account, call)

    def wake(self) -> None:
        """Let idle workers ask for background work."""
        self._arrival.set()

    def close(self) -> None:
        """Stop every worker, and kill the workers that do not end in time."""
        for worker in self._workers:
            with suppress(OSError):  # the worker has already ended
                worker.stop()
        for worker in self._workers:
            worker.close()

    def _create(self) -> Worker:
        worker = self._new_worker()
        self._workers.add(worker)
        return worker

    async def _supervise(self, number: int, worker: Worker | None) -> None:
        """Give requests to a worker; replace it whenever it fails, and roll back its last call."""
        failures, lost = 0, None
        while True:
            try:
                if worker is None:
                    worker = self._create()
                    await worker.start(lost)
                    lost = None
                self._failing.pop(number, None)
                while True:
                    work = await self._next_work(worker)
                    await work(worker)
                    failures = 0
            except ResponseLostError:
                failures = 0
            except Exception as error:  # noqa: BLE001 - the worker is replaced after any error
                failures += 1
                LOGGER.error("%s worker %d failed: %r", self._name, number, error)  # noqa: TRY400
            if worker is not None:
                lost = worker.unfinished or lost
                self._discard(worker)
                worker = None
            pause_s = RESTART_PAUSES_S[min(failures, len(RESTART_PAUSES_S) - 1)]
            if failures > 1:
                self._failing[number] = pause_s
            await asyncio.sleep(pause_s)

    def _discard(self, worker: Worker) -> None:
        self._workers.discard(worker)
        try:
            worker.kill()
        except Exception as error:  # noqa: BLE001 - the worker is replaced anyway
            LOGGER.error("a worker cannot be killed: %r", error)  # noqa: TRY400

    async def _next_work(self, worker: Worker) -> Work:
        """Wait for a request, or for background work while no request waits.

        Raises:
            IdleDeathError: the worker ended; another worker gets the request.

        """
        while True:
            if not worker.is_alive():
                raise IdleDeathError
            if call := self._queue.pop():
                return partial(self._work, call)
            if not self._queue.waiting and (work := self._next_background(self._queue.is_in_use)):
                return work
            self._arrival.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(KEEP_SHARE_S if self._queue.waiting else IDLE_CHECK_S):
                    await self._arrival.wait()

    async def _work(self, call: Call, worker: Worker) -> None:
        """Let the worker handle the request.

        Raises:
            NotAcceptedError: the worker failed before the work started; the request waits again.
            ResponseLostError: the worker failed after the work had started.

        """
        call.worker = worker
        began_s = time.monotonic()
        try:
            reply = await worker.respond(call.request, call.client)
        except NotAcceptedError:
            self._wait_again(call)
            raise
        except Exception as error:
            request_id, name = call.request.request_id, type(error).__name__
            LOGGER.error("req_%s: a %s worker failed: %s", request_id, self._name, name)  # noqa: TRY400
            self._finish(call, began_s)
            call.fail(ResponseLostError())
            raise ResponseLostError from error
        finally:
            call.worker = None
        self._typical_s += WEIGHT * (self._finish(call, began_s) - self._typical_s)
        if not call.reply.done():
            call.reply.set_result(reply)

    def _finish(self, call: Call, began_s: float) -> float:
        used_s = time.monotonic() - began_s
        self._queue.finish(call.account, used_s)
        return used_s

    def _wait_again(self, call: Call) -> None:
        if call.reply.done() or call.client.disconnected.is_set():
            self._queue.finish(call.account, 0)
            call.fail(ClientDisconnected())
        elif asyncio.get_running_loop().time() >= call.latest_start:
            self._queue.finish(call.account, 0)
            call.fail(self._overloaded())
        else:
            self._queue.put_back(call.account, call)
            self._arrival.set()

    def _expire(self, call: Call) -> None:
        if self._queue.remove(call.account, call):
            call.fail(self._overloaded())

    async def _watch_client(self, call: Call) -> None:
        """When the client disconnects, drop its waiting request, or mark its running request."""
        await call.client.disconnected.wait()
        if self._queue.remove(call.account, call):
            call.fail(ClientDisconnected())
        elif call.worker is not None:
            call.worker.disconnect_client()

    def _overloaded(self) -> OverloadedError:
        wait_s = self._queue.used_slots * self._typical_s / self._size
        return OverloadedError(retry_after_s=max(1, math.ceil(wait_s)))

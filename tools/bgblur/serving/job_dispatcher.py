"""Gives the waiting photos of jobs to workers that no request needs.

A photo of a job is never in the queue of requests. A worker gets a photo of a job only while no
request waits, and while requests arrive, one worker stays free for requests. With one worker,
photos of jobs wait until `fair_queue.KEEP_SHARE_S` seconds after the end of the last request.

If a worker fails, the photo that it was processing is released and tried again later. If the whole
server is killed, the lease of the photo expires.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from bgblur.serving.metrics import ObjectsState
from blur.accounts.model import SECOND_US, Instant
from blur.clock import now
from blur.errors import ResponseLostError, UnavailableError
from blur.jobs.runner import Outcome

if TYPE_CHECKING:
    from bgblur.serving.object_worker import ObjectTaskResult
    from bgblur.serving.ports import JobQueue
    from bgblur.serving.worker import Work, Worker
    from blur.jobs.model import JobObject

RELEASE_TRIES = 60
"""How many times the server tries to end a lease in the store if the store is unavailable."""
ObserveObject = Callable[["JobObject", Mapping[str, float]], None]
"""Called with the final row of each photo that a worker has processed, and the milliseconds of
each step."""
LOGGER = logging.getLogger(__name__)
POLL_S = 1.0
"""The time between two look-ups for photos of jobs that another program has added or resumed."""
RETRY_PAUSES_S = (1, 10, 1)
"""The pause after each failed attempt; the last pause also follows all later attempts. A photo
that has had `MAX_ATTEMPTS` attempts is claimed again only to mark it as failed."""


class JobDispatcher:
    """Gives the waiting photos of all jobs to idle workers, as background work."""

    def __init__(
        self,
        queue: JobQueue,
        *,
        workers: int,
        limit: int,
        clock: Callable[[], Instant] = now,
    ) -> None:
        """Use `queue`; at most `limit` of the pool's `workers` can process photos of jobs."""
        self._queue = queue
        self._workers = workers
        self._limit = limit
        self._clock = clock
        self._can_have_more = False
        self._is_stopping = False
        self._running: dict[Worker, JobObject | None] = {}
        self._releases: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._ended = asyncio.Event()
        self.waiting = 0
        """The number of unfinished photos when the jobs were last read; photos of paused jobs are
        not counted."""
        self.observe: ObserveObject = lambda _row, _steps_ms: None

    @property
    def running(self) -> int:
        """Return how many workers are processing a photo of a job."""
        return len(self._running)

    def state(self) -> ObjectsState:
        """Return the state of the photos of jobs, for metrics."""
        return ObjectsState(running=self.running, waiting=self.waiting)

    def next_work(self, has_requests: bool) -> Work | None:  # noqa: FBT001 - `NextBackgroundWork` has this signature
        """Return the function with which an idle worker processes a photo, or None for no photo.

        `has_requests` is true if requests are likely to arrive soon.
        """
        limit = min(self._limit, self._workers - 1) if has_requests else self._limit
        if self._is_stopping or not self._can_have_more or self.running >= limit:
            return None
        return self._process

    def add(self) -> None:
        """Look for waiting photos now, because a photo has been added."""
        self._news.set()

    async def watch(self, wake: Callable[[], None]) -> None:
        """Wake idle workers whenever photos of jobs wait; runs until it is cancelled."""
        is_available = True
        while True:
            self._news.clear()
            try:
                self.waiting = await asyncio.to_thread(self._queue.count_waiting)
            except UnavailableError as error:
                if is_available:
                    LOGGER.warning("the jobs cannot be read: %s", error.__cause__)
                is_available = False
            except Exception:  # if the loop ended, no photo of a job would be processed
                if is_available:
                    LOGGER.exception("the jobs cannot be read")
                is_available = False
            else:
                is_available = True
                self._can_have_more = self.waiting > self.running
            if self._can_have_more:
                wake()
            try:
                async with asyncio.timeout(POLL_S):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def stop(self, timeout_s: float) -> None:
        """Give no more photos to workers; wait for running photos, and release slow photos.

        A photo is slow if it is not finished after `timeout_s`. To release it, the dispatcher ends
        its lease, so that a worker can claim it again.
        """
        self._is_stopping = True
        try:
            async with asyncio.timeout(timeout_s):
                while self._running:
                    self._ended.clear()
                    await self._ended.wait()
        except TimeoutError:
            for claimed in filter(None, self._running.values()):
                self._release(claimed, counts=False)
        await asyncio.gather(*self._releases, return_exceptions=True)

    async def _process(self, worker: Worker) -> None:
        """Let the worker claim a photo of a job, if there is one, and process this photo.

        Raises:
            ResponseLostError: the worker failed after it had claimed a photo.
            Exception: the worker failed before it had claimed a photo.

        """
        self._running[worker] = None

        def claim(claimed: JobObject) -> None:
            self._running[worker] = claimed

        try:
            result = await worker.process_object(claim)
        except Exception as error:
            if (claimed := self._running[worker]) is None:
                raise
            LOGGER.error("a worker failed on a photo of a job: %s", type(error).__name__)  # noqa: TRY400
            self._release(claimed)
            raise ResponseLostError from error
        else:
            claimed = self._running[worker]
            if claimed is None or result is None:
                self._can_have_more = False
            elif result.outcome is Outcome.RETRY:
                self._release(claimed)
            elif result.outcome is Outcome.WAIT:
                self._release(claimed, counts=False, after_s=RETRY_PAUSES_S[0])
            else:
                self._measure(result)
        finally:
            del self._running[worker]
            self._ended.set()

    def _measure(self, result: ObjectTaskResult) -> None:
        if result.row is None:
            return
        try:
            self.observe(result.row, result.steps_ms)
        except Exception:
            LOGGER.exception("the metrics of a photo of a job could not be recorded")

    def _release(self, claimed: JobObject, *, counts: bool = True, after_s: float = 0) -> None:
        """End the photo's lease after `after_s` seconds.

        If `counts` is true, the attempt counts, and the photo is tried again after a pause.
        """
        task = asyncio.create_task(self._end_lease(claimed, counts=counts, after_s=after_s))
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)

    async def _end_lease(self, claimed: JobObject, *, counts: bool, after_s: float) -> None:
        """End the lease in the store; if this fails for too long, the lease expires."""
        await asyncio.sleep(after_s)
        for _ in range(RELEASE_TRIES):
            try:
                await asyncio.to_thread(self._write_end, claimed, counts=counts)
            except UnavailableError as error:
                cause = error.__cause__
            else:
                return
            if self._is_stopping:
                break
            await asyncio.sleep(POLL_S)
        LOGGER.warning("the lease of a photo of a job cannot be released: %s", cause)

    def _write_end(self, claimed: JobObject, *, counts: bool) -> None:
        if counts:
            at_us = Instant(self._clock() + retry_pause_s(claimed.attempts) * SECOND_US)
            self._queue.release_object(claimed, retry_us=at_us)
        else:
            self._queue.park_object(claimed.job_id, claimed.source, now_us=self._clock())


def retry_pause_s(attempts: int) -> int:
    """Return the seconds until a photo is tried again, after this number of attempts."""
    return RETRY_PAUSES_S[min(max(attempts, 1), len(RETRY_PAUSES_S)) - 1]

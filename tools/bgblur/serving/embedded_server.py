"""uvicorn with additional steps at start and stop: for worker pools, jobs and open requests."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn

from bgblur.serving.listening import BACKLOG

if TYPE_CHECKING:
    from bgblur.serving.job_dispatcher import JobDispatcher
    from bgblur.serving.worker_pool import WorkerPool

CANCELLED_TIMEOUT_S = 2
"""The time for error responses to requests that are cancelled at the end of a graceful shutdown."""
SIGNAL_CHECK_S = 0.1
"""The time between two checks for a signal that stops the server."""


class EmbeddedServer(uvicorn.Server):
    """A server that first starts its worker pools, and announces its port when it listens."""

    def __init__(
        self,
        config: uvicorn.Config,
        photos: WorkerPool,
        accounts: WorkerPool,
        *,
        dispatcher: JobDispatcher | None,
        announce: Callable[[int], None],
    ) -> None:
        """Keep the worker pools, which `startup` starts, and `announce`, which gets the port.

        The `dispatcher` gives photos of jobs to the worker pool.
        """
        super().__init__(config)
        self._photos = photos
        self._accounts = accounts
        self._dispatcher = dispatcher
        self._announce = announce
        self._watch: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the pools, accept connections, announce the port.

        If the server is stopped before all workers are ready, it does not accept connections.
        """
        if not await self._start_pools():
            return
        await super().startup(sockets)
        for listening in sockets or []:  # asyncio sets its own, smaller backlog
            listening.listen(BACKLOG)
        if self._dispatcher and not self.should_exit:
            self._watch = asyncio.create_task(self._dispatcher.watch(self._photos.wake))
        if not self.should_exit:
            self._announce(self.servers[0].sockets[0].getsockname()[1])

    async def _start_pools(self) -> bool:
        """Start the pools; return whether they are ready, or False if the server was stopped."""
        starting = asyncio.gather(self._photos.start(), self._accounts.start())
        while not starting.done() and not self.should_exit:  # a signal sets `should_exit`
            await asyncio.wait({starting}, timeout=SIGNAL_CHECK_S)
        if not starting.done():
            starting.cancel()
            self._close_pools()
            return False
        await starting  # raises the error of a worker that does not start
        return True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; cancelled requests still get an error response and are logged.

        Photos of jobs that are being processed can use the whole time of the graceful stop to
        finish. Photos that take longer are released, and processed after the next start. The event
        loop ends after this method returns.
        """
        await asyncio.gather(super().shutdown(sockets), self._stop_dispatcher())
        if cancelled := list(self.server_state.tasks):
            await asyncio.wait(cancelled, timeout=CANCELLED_TIMEOUT_S)
        self._close_pools()

    def _close_pools(self) -> None:
        """End all workers, also those that hang.

        uvicorn sends itself the signal again as soon as the server has stopped. So a SIGTERM ends
        this process before the caller of `run` can close the pools.
        """
        for pool in (self._photos, self._accounts):
            pool.close()

    async def _stop_dispatcher(self) -> None:
        if self._dispatcher is None:
            return
        if self._watch:
            self._watch.cancel()
        stopping = asyncio.create_task(
            self._dispatcher.stop(self.config.timeout_graceful_shutdown or 0)
        )
        while not stopping.done() and not self.force_exit:  # a second Ctrl-C sets `force_exit`
            await asyncio.wait({stopping}, timeout=SIGNAL_CHECK_S)
        if not stopping.done():
            stopping.cancel()
            await self._dispatcher.stop(0)

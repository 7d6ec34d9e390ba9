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
FORCED_CHECK_S = 0.1
"""The time between two checks for a second Ctrl-C, which stops the server immediately."""


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
        """Start the pools, accept connections, announce the port."""
        await asyncio.gather(self._photos.start(), self._accounts.start())
        await super().startup(sockets)
        for listening in sockets or []:  # asyncio sets its own, smaller backlog
            listening.listen(BACKLOG)
        if self._dispatcher and not self.should_exit:
            self._watch = asyncio.create_task(self._dispatcher.watch(self._photos.wake))
        if not self.should_exit:
            self._announce(self.servers[0].sockets[0].getsockname()[1])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; cancelled requests still get an error response and are logged.

        Photos of jobs that are being processed can use the whole time of the graceful stop to
        finish. Photos that take longer are released, and processed after the next start. The event
        loop ends after this method returns.
        """
        await asyncio.gather(super().shutdown(sockets), self._stop_dispatcher())
        if cancelled := list(self.server_state.tasks):
            await asyncio.wait(cancelled, timeout=CANCELLED_TIMEOUT_S)

    async def _stop_dispatcher(self) -> None:
        if self._dispatcher is None:
            return
        if self._watch:
            self._watch.cancel()
        stopping = asyncio.create_task(
            self._dispatcher.stop(self.config.timeout_graceful_shutdown or 0)
        )
        while not stopping.done() and not self.force_exit:  # a second Ctrl-C sets `force_exit`
            await asyncio.wait({stopping}, timeout=FORCED_CHECK_S)
        if not stopping.done():
            stopping.cancel()
            await self._dispatcher.stop(0)

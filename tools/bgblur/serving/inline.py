"""Handle requests without photos: for the page and openapi.json, and account calls.

The page and openapi.json need no store, so a handler in the front process serves them. An account
call is a request about an account, an upload or a job. Account calls wait for the store, which can
be slow or locked. So they have a separate pool, with one worker that does not load the model and a
queue of limited length. (powertools' resolver handles one event at a time in each process, so
threads are not enough.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from bgblur.serving.proxy_events import InvocationContext, Reply, Request
from blur.api.removebg.paths import ACCOUNT_PATH
from blur.api.route_paths import JOBS_PATH
from blur.errors import ResponseLostError, UnavailableError

if TYPE_CHECKING:
    from bgblur.serving.proxy_events import ClientState
    from bgblur.serving.worker_pool import WorkerPool

Handler = Callable[[Request, InvocationContext], Reply]
STORE_PATHS = frozenset({"/v2/account", "/v2/uploads", ACCOUNT_PATH})
"""The routes of account calls, except the routes for jobs."""
ACCOUNT_TIMEOUT_S = 10
"""The time limit for processing an account call; the stores have their own limit, a few seconds."""
ACCOUNT_WAIT_S = 5
"""The time limit for a call that waits in the queue."""
ACCOUNT_QUEUE = 64
"""The number of calls that can wait in the queue."""


def uses_store(path: str) -> bool:
    """Return whether requests for this path, without a trailing slash, are account calls."""
    return path in STORE_PATHS or f"{path}/".startswith(f"{JOBS_PATH}/")


class InlineHandler:
    """Handles short requests without waiting for photos."""

    def __init__(self, handler: Handler, account_pool: WorkerPool) -> None:
        """Store the handler of this process, and the worker pool that handles account calls."""
        self._handler = handler
        self._account_pool = account_pool
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inline")

    async def respond(self, request: Request, *, account: str, client: ClientState) -> Reply:
        """Return the response.

        Raises:
            OverloadedError: too many account calls wait, or this call waited too long.
            UnavailableError: the store did not respond in time.
            ClientDisconnected: the client disconnected before the call started.

        """
        if not uses_store(request.path.rstrip("/")) or request.method.upper() == "OPTIONS":
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, self._call, request)
        try:
            return await self._account_pool.respond(request, account=account, client=client)
        except ResponseLostError as error:
            message = "The account store did not respond in time. Nothing was charged."
            raise UnavailableError(message, retry_after_s=1) from error

    def _call(self, request: Request) -> Reply:
        return self._handler(request, InvocationContext())

"""Requests that are not photos: the page, the description, account calls and upload offers.

The page and the description need no store, so a handler in the server's own process answers them.
Account calls wait for the store, which can be slow or locked. They have a pool with one worker,
which does not load the model: a bounded queue that accounts share, and a deadline for each call.
(powertools' resolver answers one event at a time in a process, so threads are not enough.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from bgblur.serving.proxy import InvocationContext, to_event, to_reply
from blur.errors import LostError, UnavailableError

if TYPE_CHECKING:
    from bgblur.serving.proxy import ClientState, Reply, Request
    from bgblur.serving.worker_pool import WorkerPool

Handler = Callable[[Mapping[str, Any], Any], Mapping[str, Any]]
STORE_PATHS = frozenset({"/v2/account", "/v2/uploads"})
"""Routes that read or write the accounts."""
ACCOUNT_TIMEOUT_S = 10
"""How long one account call can take; the stores give up after a few seconds by themselves."""
ACCOUNT_WAIT_S = 5
"""How long it can wait for the calls before it."""
ACCOUNT_QUEUE = 64
"""How many can wait."""


class InlineHandler:
    """Answers requests that take milliseconds, without waiting for photos."""

    def __init__(self, handler: Handler, account_pool: WorkerPool) -> None:
        """Keep the handler of this process, and the pool that answers account calls."""
        self._handler = handler
        self._account_pool = account_pool
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inline")

    async def answer(self, request: Request, *, account: str, client: ClientState) -> Reply:
        """Return the answer.

        Raises:
            OverloadedError: too many account calls wait, or this one waited too long.
            UnavailableError: the store did not answer in time.
            ClientDisconnected: the client left before the call began.

        """
        if request.path.rstrip("/") not in STORE_PATHS or request.method.upper() == "OPTIONS":
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._call, request)
        try:
            return await self._account_pool.answer(request, account=account, client=client)
        except LostError as error:
            message = "The accounts did not answer in time. Nothing was charged."
            raise UnavailableError(message, retry_after_s=1) from error

    def _call(self, request: Request) -> Reply:
        return to_reply(self._handler(to_event(request), InvocationContext()))

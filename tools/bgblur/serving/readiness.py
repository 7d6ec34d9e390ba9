"""`/ready`, for load balancers: whether a photo that arrives now would be accepted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from blur.errors import ApiError

CHECK_EVERY_S = 1.0
"""The time for which a check of the store is valid, so that requests for `/ready` cause little load
on the store."""


class Readiness:
    """Checks the pool for each `/ready`, and the store at most once in `CHECK_EVERY_S` seconds."""

    def __init__(
        self,
        require_slot: Callable[[], None],
        require_store: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set the two checks; a check that fails raises an `ApiError` with the reason."""
        self._require_place = require_slot
        self._require_store = require_store
        self._clock = clock
        self._lock = asyncio.Lock()
        self._valid_until_s = 0.0
        self._error: ApiError | None = None

    async def require(self) -> None:
        """Check that the worker pool accepts photos and that the store responds.

        Raises:
            OverloadedError: the queue is full, no worker starts, or too many look-ups wait.
            UnavailableError: the store does not respond.

        """
        self._require_place()
        async with self._lock:
            if self._clock() >= self._valid_until_s:
                self._error = await self._store_error()
                self._valid_until_s = self._clock() + CHECK_EVERY_S
        if self._error is not None:
            raise self._error.with_traceback(None)

    async def _store_error(self) -> ApiError | None:
        try:
            await self._require_store()
        except ApiError as error:
            return error
        return None

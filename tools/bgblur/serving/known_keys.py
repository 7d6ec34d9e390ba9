"""Check whether the store knows a key, before a request's body is read.

This check only decides whether a body is read, and which connections are closed first. The worker
authenticates the request again, so it rejects a key that was revoked in the meantime.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from blur.errors import InvalidApiKeyError, OverloadedError, UnavailableError

if TYPE_CHECKING:
    from blur.accounts.keys import ApiKey

MAX_REMEMBERED = 10_000
MAX_WAITING = 64
"""The number of look-ups that can wait for the store, so that many unknown keys do not delay other
requests."""
THREADS = 4
TIMEOUT_S = 2.0

Result = TypeVar("Result")


class KnownKeys:
    """A cache of known keys with a limited size, in front of a look-up that can be slow."""

    def __init__(
        self, is_known: Callable[[ApiKey], bool], require_available: Callable[[], None]
    ) -> None:
        """Keep the look-up function, and the check of the store that `require_store` makes.

        Both run in threads and can raise `UnavailableError`.
        """
        self._is_known, self._require_available = is_known, require_available
        self._known: OrderedDict[str, None] = OrderedDict()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="keys")
        self._waiting = 0

    async def require(self, key: ApiKey) -> None:
        """Check that the store knows the key.

        Raises:
            InvalidApiKeyError: the key is unknown, revoked or expired.
            OverloadedError: too many look-ups wait.
            UnavailableError: the store did not respond in time.

        """
        if key.digest not in self._known:
            await self._look_up(key)
            self._known[key.digest] = None
        self._known.move_to_end(key.digest)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)

    def forget(self, key: ApiKey) -> None:
        """Remove a key that a worker has rejected, so that the next check asks the store."""
        self._known.pop(key.digest, None)

    async def require_store(self) -> None:
        """Check that the store can be used for calls.

        Raises:
            OverloadedError: too many look-ups wait.
            UnavailableError: the store failed, or did not respond in time.

        """
        await self._ask_store(self._require_available)

    async def _look_up(self, key: ApiKey) -> None:
        if not await self._ask_store(partial(self._is_known, key)):
            raise InvalidApiKeyError

    async def _ask_store(self, ask: Callable[[], Result]) -> Result:
        if self._waiting >= MAX_WAITING:
            raise OverloadedError(retry_after_s=1)
        future = self._threads.submit(ask)
        self._waiting += 1
        future.add_done_callback(self._count_down(asyncio.get_running_loop()))
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            message = "The account store did not respond in time. Nothing was charged."
            raise UnavailableError(message, retry_after_s=1) from error

    def _count_down(self, loop: asyncio.AbstractEventLoop) -> Callable[[object], None]:
        def count_down() -> None:
            self._waiting -= 1

        def done(_: object) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(count_down)

        return done

"""Check whether the store knows a key, before a request's body is read.

This check only decides whether a body is read, and which connections are closed first. The worker
authenticates the request again, so it rejects a key that was revoked in the meantime.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from blur.accounts.keys import ApiKey
from blur.accounts.model import KeyKind
from blur.errors import InvalidApiKeyError, OverloadedError, UnavailableError

MAX_REMEMBERED = 10_000
MAX_WAITING = 64
"""The number of look-ups that can wait for the store, so that many unknown keys do not delay other
requests."""
THREADS = 4
TIMEOUT_S = 2.0
NO_KEY = ApiKey(KeyKind.TEST, account_id="none", digest="none", prefix="none")
"""A key that no store has. The server looks it up only to check whether the store responds."""


class KnownKeys:
    """A cache of known keys with a limited size, in front of a look-up that can be slow."""

    def __init__(self, is_known: Callable[[ApiKey], bool]) -> None:
        """Keep the look-up function, which runs in threads and can raise `UnavailableError`."""
        self._is_known = is_known
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
        """Check that the store responds.

        Raises:
            OverloadedError: too many look-ups wait.
            UnavailableError: the store did not respond in time.

        """
        with suppress(InvalidApiKeyError):
            await self._look_up(NO_KEY)

    async def _look_up(self, key: ApiKey) -> None:
        if self._waiting >= MAX_WAITING:
            raise OverloadedError(retry_after_s=1)
        future = self._threads.submit(self._is_known, key)
        self._waiting += 1
        future.add_done_callback(self._count_down(asyncio.get_running_loop()))
        try:
            async with asyncio.timeout(TIMEOUT_S):
                is_known = await asyncio.wrap_future(future)
        except TimeoutError as error:
            message = "The account store did not respond in time. Nothing was charged."
            raise UnavailableError(message, retry_after_s=1) from error
        if not is_known:
            raise InvalidApiKeyError

    def _count_down(self, loop: asyncio.AbstractEventLoop) -> Callable[[object], None]:
        def count_down() -> None:
            self._waiting -= 1

        def done(_: object) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(count_down)

        return done

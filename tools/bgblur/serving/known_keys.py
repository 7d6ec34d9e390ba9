"""Which keys the store knows, asked before a request's body is read.

The answer only decides whether a body is worth keeping and which connections close first. The
worker authenticates the request again, so a key that was revoked since then is still refused.
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
"""How many look-ups can wait for the store; a flood of unknown keys must not hold up the rest."""
THREADS = 4
TIMEOUT_S = 2.0
NO_KEY = ApiKey(KeyKind.TEST, account_id="none", digest="none", prefix="none")
"""A key that no store has, to see whether the store answers."""


class KnownKeys:
    """A bounded memory of keys that are known, over a look-up that can take long."""

    def __init__(self, is_known: Callable[[ApiKey], bool]) -> None:
        """Keep the look-up, which runs in threads and can raise `UnavailableError`."""
        self._is_known = is_known
        self._known: OrderedDict[str, None] = OrderedDict()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="keys")
        self._waiting = 0

    async def require(self, key: ApiKey) -> None:
        """Go on only if the store knows the key.

        Raises:
            InvalidApiKeyError: unknown, revoked or expired.
            OverloadedError: too many look-ups wait.
            UnavailableError: the store did not answer in time.

        """
        if key.digest not in self._known:
            await self._look_up(key)
            self._known[key.digest] = None
        self._known.move_to_end(key.digest)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)

    def forget(self, key: ApiKey) -> None:
        """Ask the store again next time: a worker has refused the key."""
        self._known.pop(key.digest, None)

    async def require_store(self) -> None:
        """Return if the store answers.

        Raises:
            OverloadedError: too many look-ups wait.
            UnavailableError: it did not answer in time.

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
            message = "The accounts did not answer in time. Nothing was charged."
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

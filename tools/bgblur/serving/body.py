"""Reading request bodies: no longer than is useful, no larger, and not too many at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from bgblur.serving.proxy import ClientDisconnected
from blur.errors import OverloadedError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

IDLE_S = 10
"""How long a client may pause in the middle of its body."""

LONGEST_BODY_S = 300
"""How long it may send in all: 20 MB at half a megabit a second."""

DRAIN_FACTOR = 4
"""How many times the largest body is read and dropped before a client is cut off.

A client that is still sending sees a reset connection instead of the answer it was sent."""

BODIES_AT_ONCE = 16
"""How many bodies of the largest size all clients together may have sent and not yet had
answered; ordinary photos are a tenth of that size."""


class Reader:
    """Reads bodies of up to `max_bytes` each, and a limited number of bytes for all."""

    def __init__(self, max_bytes: int) -> None:
        """Keep the size of the largest body."""
        self._room = max_bytes + 1
        self._free = BODIES_AT_ONCE * self._room

    @contextmanager
    def place(self) -> Iterator[bytearray]:
        """Lend a buffer, and count what was read into it until it is given back."""
        kept = bytearray()
        try:
            yield kept
        finally:
            self._free += len(kept)

    async def read(self, scope: Mapping[str, Any], receive: Receive, kept: bytearray) -> None:
        """Read a body into a buffer of `place`, keeping at most one byte more than is allowed.

        The one byte tells the handler that the body is too large. A client that waits for a
        word before it sends (`Expect: 100-continue`) is not asked for a body that is too large
        by its own words; the handler judges by these.

        Raises:
            ClientDisconnected: the client has gone, or sends for ever.
            OverloadedError: the bodies of all clients together are too large.

        """
        if self.skips(scope):
            return
        dropped = 0
        async for chunk in chunks(receive):
            part = chunk[: self._room - len(kept)]
            if len(part) > self._free:
                raise OverloadedError(retry_after_s=1)
            self._free -= len(part)
            kept += part
            dropped += len(chunk) - len(part)
            if dropped > DRAIN_FACTOR * self._room:
                raise ClientDisconnected

    def skips(self, scope: Mapping[str, Any]) -> bool:
        """Return whether the body is too large and the client waits with sending it."""
        return expects_continue(scope) and _declared_bytes(scope) >= self._room

    async def drain(self, scope: Mapping[str, Any], receive: Receive) -> None:
        """Read what a client still sends that has its answer already, and drop it."""
        if expects_continue(scope):
            return
        dropped = 0
        async for chunk in chunks(receive):
            dropped += len(chunk)
            if dropped > DRAIN_FACTOR * self._room:
                return


async def chunks(receive: Receive) -> AsyncIterator[bytes]:
    """Yield the body as it comes.

    Raises:
        ClientDisconnected: the client has closed the connection in the middle.

    """
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        yield message.get("body", b"")
        more = message.get("more_body", False)


def with_timeout(receive: Receive) -> Receive:
    """Take the body of a client that stalls, or drips for ever, as ended where it is.

    It is then answered as what it is, cut short; and no stalled upload holds up a stop.
    """
    latest = asyncio.get_running_loop().time() + LONGEST_BODY_S

    async def receive_soon() -> Message:
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(min(now + IDLE_S, latest)):
                return await receive()
        except TimeoutError:
            return {"type": "http.request", "body": b"", "more_body": False}

    return receive_soon


def expects_continue(scope: Mapping[str, Any]) -> bool:
    """Tell whether the client waits for a word before it sends its body (RFC 9110, 10.1.1)."""
    return header(scope, b"expect").lower() == b"100-continue"


def header(scope: Mapping[str, Any], name: bytes) -> bytes:
    """Return the first header of that name, or nothing."""
    return next((value for key, value in scope["headers"] if key == name), b"")


def _declared_bytes(scope: Mapping[str, Any]) -> int:
    length = header(scope, b"content-length")
    return int(length) if length.isdigit() else 0

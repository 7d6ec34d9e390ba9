"""Read request bodies, with a minimum rate and a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from bgblur.serving.proxy_events import ClientDisconnected
from blur.errors import InvalidRequestError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

RATE_WINDOW_S = 10
"""The rate is averaged over this many seconds of waiting for the client."""

MIN_BYTES_PER_S = 2_000
"""The minimum rate; even a slow mobile connection is ten times as fast."""

MAX_BODY_S = 300
"""The time limit for one body: enough for 20 MB at 0.6 megabits per second."""

_MAX_DIGITS = 15


class Body:
    """The body of one request, as it arrives."""

    def __init__(self, scope: Mapping[str, Any], receive: Receive) -> None:
        """Read the headers of the request; `chunks` reads the body."""
        self._receive = receive
        length = header(scope, b"content-length")
        self.is_chunked = bool(header(scope, b"transfer-encoding"))
        self.declared_bytes = int(length[:_MAX_DIGITS]) if length.isdigit() else 0
        self.expects_continue = header(scope, b"expect").lower() == b"100-continue"
        """Whether the client sends the body only after `100 Continue` (RFC 9110, 10.1.1)."""
        self.is_complete = not self.is_chunked and self.declared_bytes == 0
        """Whether the whole body has arrived."""

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives.

        Raises:
            ClientDisconnected: the client closed the connection before the end of the body.
            InvalidRequestError: the body arrives too slowly, or not within `MAX_BODY_S` seconds.

        """
        clock = asyncio.get_running_loop().time
        latest, waited_s, received = clock() + MAX_BODY_S, 0.0, 0
        while not self.is_complete:
            asked = clock()
            data = await self._next(min(RATE_WINDOW_S - waited_s, latest - asked))
            waited_s, received = waited_s + clock() - asked, received + len(data)
            if data:
                yield data
            if self.is_complete:
                return
            is_window_over = waited_s >= RATE_WINDOW_S
            if clock() >= latest or (is_window_over and received < _MIN_BYTES):
                raise InvalidRequestError(_TOO_SLOW)
            if is_window_over:
                waited_s, received = 0.0, 0

    async def discard(self, most_bytes: int, timeout_s: float) -> None:
        """Read and drop the rest of the body, up to a size and a time limit."""
        discarded, chunks = 0, self.chunks()
        try:
            async with asyncio.timeout(timeout_s):
                while not self.is_complete and discarded <= most_bytes:
                    discarded += len(await anext(chunks, b""))
        except (TimeoutError, ClientDisconnected, InvalidRequestError):
            return

    async def _next(self, timeout_s: float) -> bytes:
        try:
            async with asyncio.timeout(timeout_s):
                message = await self._receive()
        except TimeoutError:
            return b""
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        self.is_complete = not message.get("more_body", False)
        return bytes(message.get("body", b""))


_MIN_BYTES = MIN_BYTES_PER_S * RATE_WINDOW_S
_TOO_SLOW = (
    f"The request's body arrives too slowly. Send at least {MIN_BYTES_PER_S} bytes per second, "
    f"and the whole body within {MAX_BODY_S} seconds."
)


def header(scope: Mapping[str, Any], name: bytes) -> bytes:
    """Return the value of the first header with this name, or an empty value."""
    return next((value for key, value in scope["headers"] if key == name), b"")

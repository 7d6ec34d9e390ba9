"""The embedded server: uvicorn in front of the handler that Lambda runs.

The event loop reads and writes sockets; the handler runs in one thread of its own, one
event at a time, which is what a Lambda environment does and what the handler expects.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn

from bgblur.proxy import InvocationContext, from_answer, to_event
from bgblur.uploads import receive_upload
from blur.delivery.folder import UPLOAD_PATH, FolderStore

Handler = Callable[[Mapping[str, Any], Any], Mapping[str, Any]]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

IDLE_S = 10
"""How long a client may pause in the middle of its body."""

LONGEST_BODY_S = 300
"""How long it may send in all: 20 MB at half a megabit a second."""

DRAIN_FACTOR = 4
"""How many times the largest body is read and dropped before a client is cut off.

A client that is still sending sees a reset connection instead of the 413 it was sent."""


class Gateway:
    """An ASGI application that stands where API Gateway stands."""

    def __init__(
        self, handler: Handler, *, max_body_bytes: int, folder: FolderStore | None = None
    ) -> None:
        """Keep the handler and start the one thread that calls it.

        A `folder` makes this server the place where its uploads arrive, as a bucket would be.
        """
        self._handler = handler
        self._folder = folder
        self._max_body_bytes = max_body_bytes
        self._environment = ThreadPoolExecutor(max_workers=1, thread_name_prefix="handler")

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        receive = _impatient(receive)
        if self._folder and (scope["method"], scope["path"]) == ("POST", UPLOAD_PATH):
            await self._receive_upload(self._folder, scope, receive, send)
            return
        body = await self._read(scope, receive)
        if body is None:
            return
        event = to_event(scope, body, request_id=str(uuid.uuid4()))
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(
            self._environment, self._handler, event, InvocationContext()
        )
        await _send(answer, send)

    async def _receive_upload(
        self, folder: FolderStore, scope: Mapping[str, Any], receive: Receive, send: Send
    ) -> None:
        content_type = _header(scope, b"content-type").decode("latin-1")
        answer = await receive_upload(folder, content_type, _chunks(receive))
        await _send(answer, send)

    async def _read(self, scope: Mapping[str, Any], receive: Receive) -> bytes | None:
        """Read the body, keeping at most one byte more than is allowed; None if it never ends.

        The one byte tells the handler that the body is too large.
        """
        room = self._max_body_bytes + 1
        if _expects_continue(scope) and _declared_bytes(scope) >= room:
            return b""  # the client waits for a word; the handler judges by what is declared
        kept = bytearray()
        dropped = 0
        while dropped < DRAIN_FACTOR * room:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunk = message.get("body", b"")
            kept += chunk[: room - len(kept)]
            dropped += len(chunk) if len(kept) == room else 0
            if not message.get("more_body", False):
                break
        return bytes(kept)


def _impatient(receive: Receive) -> Receive:
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


class AnnouncingServer(uvicorn.Server):
    """A server that says so once it really listens."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[int], None]) -> None:
        """Keep what is to be called, with the port, after the socket is bound."""
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[Any] | None = None) -> None:
        """Bind, then announce."""
        await super().startup(sockets)
        if not self.should_exit:
            self._announce(self.servers[0].sockets[0].getsockname()[1])


def serve(gateway: Gateway, *, host: str, port: int, announce: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests that were accepted are answered first."""
    config = uvicorn.Config(
        gateway,
        host=host,
        port=port,
        http="h11",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
    )
    AnnouncingServer(config, announce).run()


async def _send(answer: Mapping[str, Any], send: Send) -> None:
    status, headers, content = from_answer(answer)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    """Yield the body as it comes; it ends early where the client does."""
    more = True
    while more:
        message = await receive()
        yield message.get("body", b"")
        more = message.get("more_body", False)


def _header(scope: Mapping[str, Any], name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


def _expects_continue(scope: Mapping[str, Any]) -> bool:
    return _header(scope, b"expect").lower() == b"100-continue"


def _declared_bytes(scope: Mapping[str, Any]) -> int:
    length = _header(scope, b"content-length")
    return int(length) if length.isdigit() else 0

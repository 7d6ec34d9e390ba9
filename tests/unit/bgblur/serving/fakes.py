"""A client, and fakes for the parts that the ASGI application uses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from events import make

from bgblur.serving.asgi import ServerApp
from bgblur.serving.proxy_events import ClientDisconnected, ClientState, Reply, Request
from blur.errors import ApiError, OverloadedError

if TYPE_CHECKING:
    from bgblur.serving.body import Message
    from blur.accounts.keys import ApiKey
    from blur.api.response_record import ResponseRecord


MAX_BYTES = 100_000


ROUTES = {
    "/": ("GET",),
    "/v2/rembg/blur": ("POST",),
    "/v2/account": ("GET",),
    "/v2/uploads": ("POST",),
    "/v1.0/removebg": ("POST",),
    "/v1.0/account": ("GET",),
    "/health": ("GET",),
}


KEY = (b"apikey", make.FUNDED.encode())


X_KEY = (b"x-api-key", make.FUNDED.encode())
"""The same key as in `KEY`, in the header that remove.bg's routes read."""


FORM = (b"content-type", b"multipart/form-data; boundary=b")


@dataclass
class Pool:
    """A fake worker pool that responds with the size of the body, or fails with a given error."""

    failure: BaseException | None = None
    is_full: bool = False
    answered: list[tuple[str, int]] = field(default_factory=list)
    reply: Reply | None = None
    waits_for_disconnect: bool = False
    asked_for: list[str] = field(default_factory=list)

    def require_slot(self, account: str = "") -> None:
        self.asked_for.append(account)
        if self.is_full:
            raise OverloadedError(retry_after_s=7)

    async def respond(self, request: Request, *, account: str, client: ClientState) -> Reply:
        if self.waits_for_disconnect:
            await asyncio.wait_for(client.disconnected.wait(), 10)
            raise ClientDisconnected
        if self.failure:
            raise self.failure
        self.answered.append((account, len(request.body)))
        return self.reply or Reply(200, [], b"%d bytes" % len(request.body))


@dataclass
class Keys:
    """A fake of the known keys that accepts every key, or raises a given error."""

    failure: ApiError | None = None
    forgotten: list[str] = field(default_factory=list)

    async def require(self, key: ApiKey) -> None:
        assert key
        if self.failure:
            raise self.failure

    def forget(self, key: ApiKey) -> None:
        self.forgotten.append(key.digest)

    async def require_store(self) -> None:
        if self.failure:
            raise self.failure


@dataclass
class Connection:
    """A fake connection that records most calls of its methods in `events`."""

    address: str = "127.0.0.1"
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    is_refused: bool = False
    events: list[str] = field(default_factory=list)

    def mark_known_key(self) -> None:
        self.events.append("known key")

    def mark_responded(self) -> None:
        pass

    def abort(self) -> None:
        self.events.append("aborted")

    def watch(self) -> None:
        self.is_watched = True

    async def linger(self) -> None:
        self.events.append("lingered")


class Client:
    """A client that sends a body in chunks, and records the messages in both directions."""

    def __init__(self, *chunks: bytes, is_gone: bool = False) -> None:
        self._messages = self._sending(chunks, is_gone=is_gone)
        self.log: list[str] = []
        self.sent: list[Message] = []
        self.connection = Connection()

    @staticmethod
    def _sending(chunks: tuple[bytes, ...], *, is_gone: bool) -> Iterator[Message]:
        for number, chunk in enumerate(chunks):
            is_last = number == len(chunks) - 1 and not is_gone
            yield {"type": "http.request", "body": chunk, "more_body": not is_last}
        yield {"type": "http.disconnect"}

    async def receive(self) -> Message:
        self.log.append("received")
        return next(self._messages)

    async def send(self, message: Message) -> None:
        self.log.append("sent")
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def content(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent[1:])

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = json.loads(self.content)["error"]
        return error


@dataclass
class Harness:
    """Makes applications with these fakes, and sends requests to the applications."""

    pool: Pool = field(default_factory=Pool)
    inline: Pool = field(default_factory=Pool)
    keys: Keys = field(default_factory=Keys)
    observed: list[ResponseRecord] = field(default_factory=list)
    observe_error: Exception | None = None
    removebg_max_bytes: int = MAX_BYTES

    def __call__(
        self,
        client: Client,
        *headers: tuple[bytes, bytes],
        method: str = "POST",
        path: str = "/v2/rembg/blur/",
        length: int = 0,
    ) -> Client:
        asyncio.run(self.ask(self.app(), client, *headers, method=method, path=path, length=length))
        return client

    def app(self) -> ServerApp:
        """Return a new application."""
        return ServerApp(
            self.pool,
            self.inline,
            known_keys=self.keys,
            routes=ROUTES,
            max_body_bytes=MAX_BYTES,
            removebg_max_body_bytes=self.removebg_max_bytes,
            observe=self._observe,
        )

    def _observe(self, record: ResponseRecord, _: float) -> None:
        self.observed.append(record)
        if self.observe_error:
            raise self.observe_error

    @staticmethod
    async def ask(
        app: ServerApp,
        client: Client,
        *headers: tuple[bytes, bytes],
        method: str = "POST",
        path: str = "/v2/rembg/blur/",
        length: int = 0,
    ) -> None:
        """Send a request to the application."""
        scope = {
            "method": method,
            "path": path,
            "http_version": "1.1",
            "query_string": b"",
            "headers": [*headers, *([(b"content-length", b"%d" % length)] if length else [])],
            "client": ("127.0.0.1", 1),
            "state": {"connection": client.connection},
        }
        await app(scope, client.receive, client.send)

"""The ASGI application, in the role that API Gateway has on AWS.

Photos go to the worker pool, whose processes have the model. `/health` is answered here. All
other requests go to the inline handler, which does not wait for photos.

A photo request is checked in order of cost: route, key's text, key in the store, free slot in the
queue. Only then is its body read.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from bgblur.serving.access_log import log_response
from bgblur.serving.body import Body, Message, Receive, header
from bgblur.serving.budgets import BodyBudget, ResultBudget
from bgblur.serving.proxy import (
    ClientDisconnected,
    ClientState,
    Reply,
    to_reply,
    to_request,
)
from bgblur.serving.readiness import Readiness
from bgblur.serving.uploads import receive_upload
from blur.accounts import keys
from blur.api import response
from blur.api.router import UNROUTED, with_head
from blur.errors import ApiError, InternalError, LostError, OverloadedError
from blur.storage.folder import UPLOAD_PATH, FolderStore

if TYPE_CHECKING:
    from bgblur.serving.budgets import Lease
    from bgblur.serving.proxy import HeaderPairs, Request
    from blur.accounts.keys import ApiKey

LOGGER = logging.getLogger(__name__)
PHOTO_PATH = "/v2/rembg/blur"
HEALTH_PATH = "/health"
READY_PATH = "/ready"
ROUTES_WITH_KEY = frozenset({"/v2/account", "/v2/uploads"})
"""Routes of the inline handler that need a key."""
Send = Callable[[Message], Awaitable[None]]
Observe = Callable[[str, Reply, float], None]
"""Called with the route, the answer, and the seconds since the request's head."""

BODIES_AT_ONCE = 16
"""How many bodies of the largest size there is memory for; ordinary photos are a tenth of it."""

ACCOUNT_FACTOR, ADDRESS_FACTOR = 1.0, 3.0
"""How many times the free memory for bodies one account can hold, and one address. Behind a proxy
all clients have one address."""

BODIES_PER_ACCOUNT = 64
"""How many bodies of one account are received at once."""

SMALL_BYTES = 65_536
"""The largest body of a request that is not a photo, and the largest that is read and dropped to
keep a connection open."""

SMALL_BODY_S = 1.0
"""How long that can take."""

SLICE_BYTES = 65_536
"""How much of an answer is given to the system at once."""

CLOSE = (b"connection", b"close")


def ignore(_route: str, _reply: Reply, _seconds: float) -> None:
    """Observe nothing."""


class PhotoPool(Protocol):
    """The pool of worker processes that answer photo requests."""

    def require_slot(self, account: str = "") -> None:
        """Raise `OverloadedError` if the queue has no slot for a request of this account."""

    async def answer(self, request: Request, *, account: str, client: ClientState) -> Reply:
        """Return a worker's answer.

        Raises:
            ApiError: the request failed.
            ClientDisconnected: the client left before a worker began.

        """
        ...


class Inline(Protocol):
    """The handler of all other requests: `inline.InlineHandler`."""

    async def answer(self, request: Request, *, account: str, client: ClientState) -> Reply:
        """Return the answer; raise the errors that a pool raises."""
        ...


class Keys(Protocol):
    """The keys that the store knows: `known_keys.KnownKeys`."""

    async def require(self, key: ApiKey) -> None:
        """Raise `InvalidApiKeyError` if the key is unknown."""

    def forget(self, key: ApiKey) -> None:
        """Ask the store again next time."""

    async def require_store(self) -> None:
        """Raise `UnavailableError` if the store does not answer."""


class Connection(Protocol):
    """The connection of a request: `protocol.Protocol`."""

    @property
    def address(self) -> str:
        """The client's address."""
        ...

    @property
    def lost(self) -> asyncio.Event:
        """Set when the connection is closed."""
        ...

    @property
    def is_refused(self) -> bool:
        """Whether the protocol has answered the request by itself."""
        ...

    def mark_known_key(self) -> None:
        """Prefer this connection to those without a key."""

    def watch(self) -> None:
        """Notice it soon if the client leaves, now that nothing more is read of its request."""

    def mark_answered(self) -> None:
        """Let the connection be closed for another one: only the rest of a body is missing."""

    def abort(self) -> None:
        """Close at once."""

    async def linger(self) -> None:
        """Drop what the client still sends, until it has read the answer."""


@dataclass(slots=True)
class Exchange:
    """One request and what is known of it."""

    scope: Mapping[str, Any]
    body: Body
    connection: Connection
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started_s: float = field(default_factory=time.monotonic)
    owner: str = ""
    """Whose memory the answer is: an account, or else an address."""
    is_logged: bool = False
    """Whether a handler has logged the answer."""

    @property
    def method(self) -> str:
        """The method, in capitals."""
        return str(self.scope["method"]).upper()

    @property
    def path(self) -> str:
        """The path without its last slash."""
        return str(self.scope["path"]).rstrip("/") or "/"

    def request(self, body: bytes = b"") -> Request:
        """Return the request with this body."""
        return to_request(self.scope, body, request_id=self.request_id)

    def client(self) -> ClientState:
        """Return the state of the client, from now on watched.

        Raises:
            ClientDisconnected: the protocol has answered the request, which is malformed.

        """
        if self.connection.is_refused:
            raise ClientDisconnected
        self.connection.watch()
        return ClientState(self.connection.lost)


class ServerApp:
    """Reads requests, has them answered, and sends the answers: one each, with one line logged."""

    def __init__(  # noqa: PLR0913 - built once
        self,
        pool: PhotoPool,
        inline: Inline,
        *,
        known_keys: Keys,
        routes: Mapping[str, Collection[str]],
        max_body_bytes: int,
        folder: FolderStore | None = None,
        observe: Observe = ignore,
    ) -> None:
        """Keep the pool for photos, the handler for all other requests, and the routes they have.

        With a `folder`, this server receives its own uploads, as a bucket does on AWS.
        `observe` is called with each answer.
        """
        self._observe = observe
        self._readiness = Readiness(pool.require_slot, known_keys.require_store)
        self._pool = pool
        self._inline = inline
        self._known_keys = known_keys
        self._routes = {path: with_head(methods) for path, methods in routes.items()}
        self._folder = folder
        self._max_body_bytes = max_body_bytes
        self._bodies = BodyBudget(BODIES_AT_ONCE * (max_body_bytes + 1))
        self._results = ResultBudget(BODIES_AT_ONCE * (max_body_bytes + 1))
        self._receiving: Counter[str] = Counter()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        exchange = Exchange(scope, Body(scope, receive), scope["state"]["connection"])
        code = None
        try:
            reply = await self._reply(exchange)
        except ClientDisconnected:
            self._log_disconnect(exchange)
            return
        except ApiError as error:
            reply, code = error_reply(error, exchange.request_id), error.code
        except asyncio.CancelledError:  # the time for a graceful stop is over
            reply, code = error_reply(LostError(), exchange.request_id), LostError.code
        except Exception:
            LOGGER.exception("%s: the server broke", exchange.request_id)
            reply, code = error_reply(InternalError(), exchange.request_id), InternalError.code
        if exchange.connection.is_refused:
            return
        self._log(exchange, reply.status, code)
        self._observe(self._route(exchange), reply, time.monotonic() - exchange.started_s)
        await self._send(exchange, reply, send)

    async def _reply(self, exchange: Exchange) -> Reply:
        method, path = exchange.method, exchange.path
        exchange.owner = exchange.connection.address
        if path in {HEALTH_PATH, READY_PATH} and method in {"GET", "HEAD"}:
            return await self._answer_status(exchange)
        if self._folder and (method, path) == ("POST", UPLOAD_PATH):
            return await self._receive_upload(self._folder, exchange)
        has_route = method in self._routes.get(path, ())
        if has_route and (method, path) == ("POST", PHOTO_PATH):
            return await self._answer_photo(exchange)
        account, body = "", b""
        if has_route and path in ROUTES_WITH_KEY and not _has_many_keys(exchange):
            account = (await self._require_key(exchange)).account_id
            with self._receive_one(account):
                body = await self._read_small(exchange) if method == "POST" else b""
        request = exchange.request(body)
        reply = await self._inline.answer(request, account=account, client=exchange.client())
        exchange.is_logged = True
        return reply

    async def _answer_status(self, exchange: Exchange) -> Reply:
        """Answer `/health`, which touches nothing, or `/ready`."""
        status = "ok"
        if exchange.path == READY_PATH:
            await self._readiness.require()
            status = "ready"
        document = response.document({"status": status}, f"req_{exchange.request_id}")
        return to_reply(response.proxied(document))

    async def _answer_photo(self, exchange: Exchange) -> Reply:
        if _has_many_keys(exchange):  # the handler rejects it with a message
            reply = await self._inline.answer(
                exchange.request(), account="", client=exchange.client()
            )
            exchange.is_logged = True
            return reply
        key = await self._require_key(exchange)
        self._pool.require_slot(key.account_id)
        factors = {
            f"account {key.account_id}": ACCOUNT_FACTOR,
            f"address {exchange.connection.address}": ADDRESS_FACTOR,
        }
        with self._bodies.lease(factors) as lease:
            request = exchange.request(await self._read_photo(exchange, key, lease))
            reply = await self._pool.answer(
                request, account=key.account_id, client=exchange.client()
            )
        exchange.is_logged = True
        if reply.status == HTTPStatus.UNAUTHORIZED:
            self._known_keys.forget(key)
        return reply

    async def _require_key(self, exchange: Exchange) -> ApiKey:
        """Return the key, if the store knows it; a body without such a key is not read."""
        key = keys.parse(header(exchange.scope, b"apikey").decode("latin-1"))
        await self._known_keys.require(key)
        exchange.connection.mark_known_key()
        exchange.owner = f"account {key.account_id}"
        return key

    async def _read_photo(self, exchange: Exchange, key: ApiKey, lease: Lease) -> bytes:
        """Return the body, or as much of it as shows that the handler will refuse it."""
        body, kept = exchange.body, bytearray()
        content_type = header(exchange.scope, b"content-type").lower()
        is_form = content_type.startswith(b"multipart/form-data")
        if body.declared_bytes > self._max_body_bytes or not is_form:
            return b""
        most = self._max_body_bytes + 1
        with self._receive_one(key.account_id):
            async for chunk in body.chunks():
                part = chunk[: most - len(kept)]
                lease.take(len(part))
                kept += part
                if len(kept) == most:
                    break
        return bytes(kept)

    @contextmanager
    def _receive_one(self, account: str) -> Iterator[None]:
        if self._receiving[account] >= BODIES_PER_ACCOUNT:
            raise OverloadedError(retry_after_s=1)
        self._receiving[account] += 1
        try:
            yield
        finally:
            self._receiving[account] -= 1
            if not self._receiving[account]:
                del self._receiving[account]

    async def _read_small(self, exchange: Exchange) -> bytes:
        kept = bytearray()
        if exchange.body.declared_bytes <= SMALL_BYTES:
            async for chunk in exchange.body.chunks():
                kept += chunk
                if len(kept) > SMALL_BYTES:
                    break
        return bytes(kept)

    async def _receive_upload(self, folder: FolderStore, exchange: Exchange) -> Reply:
        content_type = header(exchange.scope, b"content-type").decode("latin-1")
        await receive_upload(folder, content_type, exchange.body.chunks())
        return to_reply(response.proxied(response.stored(f"req_{exchange.request_id}")))

    async def _send(self, exchange: Exchange, reply: Reply, send: Send) -> None:
        """Send an answer in slices, each when the one before is on its way.

        It goes out before the rest of the body is read: many clients listen only at its end.
        """
        body = exchange.body
        is_small = body.declared_bytes <= SMALL_BYTES
        keeps_open = body.is_complete or (
            is_small and not body.is_chunked and not body.expects_continue
        )
        headers = reply.headers if keeps_open else [*reply.headers, CLOSE]
        content = b"" if exchange.method == "HEAD" else reply.body
        owner, abort = exchange.owner, exchange.connection.abort
        with self._results.hold(owner, len(content), abort):
            start = {"type": "http.response.start", "status": reply.status, "headers": headers}
            await send(start)
            for at in range(0, len(content), SLICE_BYTES):
                part = content[at : at + SLICE_BYTES]
                await send({"type": "http.response.body", "body": part, "more_body": True})
            exchange.connection.mark_answered()
            if not body.is_complete and keeps_open:
                await body.discard(SMALL_BYTES, SMALL_BODY_S)
            if not body.is_complete:
                await exchange.connection.linger()
                abort()
            await send({"type": "http.response.body"})

    def _log(self, exchange: Exchange, status: int, code: str | None) -> None:
        if exchange.is_logged:
            return
        log_response(
            request_id=exchange.request_id,
            status=status,
            method=exchange.method,
            path=self._route(exchange),
            code=code,
            duration_ms=round((time.monotonic() - exchange.started_s) * 1000),
            is_quiet=exchange.path in {HEALTH_PATH, READY_PATH},
        )

    def _route(self, exchange: Exchange) -> str:
        """Return the request's route for the log; other paths can hold anything, even a key."""
        known = exchange.path in self._routes or exchange.path in {UPLOAD_PATH, READY_PATH}
        return exchange.path if known else UNROUTED

    def _log_disconnect(self, exchange: Exchange) -> None:
        if not exchange.connection.is_refused:
            LOGGER.info("%s: the client has disconnected", exchange.request_id)


def error_reply(error: ApiError, request_id: str) -> Reply:
    """Return an error of the contract as an HTTP response."""
    return to_reply(response.proxied(response.error(error, f"req_{request_id}")))


def _has_many_keys(exchange: Exchange) -> bool:
    headers: HeaderPairs = exchange.scope["headers"]
    return sum(name == b"apikey" for name, _ in headers) > 1

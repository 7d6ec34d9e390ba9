"""The ASGI application: it replaces API Gateway on one machine.

Photos go to the worker pool, whose processes have loaded the model. This application itself
responds to `/health` and `/ready`, and receives uploads. All other requests go to the inline
handler, which does not wait for photos.

The checks of a photo request start with the cheapest: the route, the key's text, the key in the
store, a free slot in the queue. Only then is the request's body read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from bgblur.serving.access_log import log_response
from bgblur.serving.body import Body, Receive
from bgblur.serving.exchange import SMALL_BYTES, Exchange, ResponseSender
from bgblur.serving.inline import uses_store
from bgblur.serving.memory_budgets import BodyBudget, ConcurrentBodyLimit
from bgblur.serving.ports import Observe, guarded, ignore
from bgblur.serving.proxy_events import ClientDisconnected, Reply, to_reply
from bgblur.serving.readiness import Readiness
from blur.accounts import keys
from blur.api import response
from blur.api.log_values import UNROUTED, logged_method
from blur.api.removebg.paths import REMOVEBG_PATH, is_removebg
from blur.api.response_record import ResponseRecord
from blur.api.route_paths import RoutePaths
from blur.api.router import with_head
from blur.errors import ApiError, InternalError, ResponseLostError

if TYPE_CHECKING:
    from bgblur.serving.memory_budgets import BodyMemory
    from bgblur.serving.ports import Inline, Keys, PhotoPool, ReceiveUpload, Send
    from blur.accounts.keys import ApiKey

LOGGER = logging.getLogger(__name__)
PHOTO_PATHS = frozenset({"/v2/rembg/blur", REMOVEBG_PATH})
"""The routes whose requests go to the worker pool."""
HEALTH_PATH = "/health"
READY_PATH = "/ready"
NO_UPLOADS: Mapping[str, ReceiveUpload] = {}
REJECTED_KEY = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
"""The statuses for an invalid key: 401 on our own paths, 403 on remove.bg's paths."""

BODIES_AT_ONCE = 16
"""The memory for request bodies, and the memory for responses, each as a multiple of
`BLUR_MAX_BODY_BYTES`. Most photos have about a tenth of this size."""

ACCOUNT_FACTOR, ADDRESS_FACTOR = 1.0, 3.0
"""The maximum memory for one account, and for one address, as a multiple of the free memory.
Behind a proxy, all clients have the same address."""

BODIES_PER_ACCOUNT = 64
"""The maximum number of bodies that the server receives from one account at the same time."""


class ServerApp:
    """Reads requests, passes them on, and sends and logs one response for each request."""

    def __init__(  # noqa: PLR0913 - the only caller passes the arguments by name
        self,
        pool: PhotoPool,
        inline: Inline,
        *,
        known_keys: Keys,
        routes: Mapping[str, Collection[str]],
        max_body_bytes: int,
        removebg_max_body_bytes: int,
        uploads: Mapping[str, ReceiveUpload] = NO_UPLOADS,
        observe: Observe = ignore,
    ) -> None:
        """Keep the pool for photos, the handler for all other requests, and the routes for both.

        `uploads` maps each upload path to the function that receives its uploads. `observe` is
        called with the record of each response.
        """
        self._observe = guarded(observe)
        self._readiness = Readiness(pool.require_slot, known_keys.require_store)
        self._pool = pool
        self._inline = inline
        self._known_keys = known_keys
        self._routes = {path: with_head(methods) for path, methods in routes.items()}
        self._paths = RoutePaths(routes)
        self._uploads = uploads
        self._max_body_bytes = max_body_bytes
        self._removebg_max_body_bytes = removebg_max_body_bytes
        memory_bytes = BODIES_AT_ONCE * (max_body_bytes + 1)
        # One account can hold half of this memory, and the largest body must fit into this half.
        self._bodies = BodyBudget(max(memory_bytes, 2 * (removebg_max_body_bytes + 1)))
        self._sender = ResponseSender(memory_bytes)
        self._concurrent_bodies = ConcurrentBodyLimit(BODIES_PER_ACCOUNT)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle one HTTP request."""
        exchange = Exchange(scope, Body(scope, receive), scope["state"]["connection"])
        code = None
        try:
            reply = await self._reply(exchange)
        except ClientDisconnected:
            self._log_disconnect(exchange)
            return
        except ApiError as error:
            reply, code = exchange.error_reply(error), error.code
        except asyncio.CancelledError:  # the graceful stop has reached its time limit
            reply, code = exchange.error_reply(ResponseLostError()), ResponseLostError.code
        except Exception:
            LOGGER.exception("%s: unexpected error in the server", exchange.request_id)
            reply, code = exchange.error_reply(InternalError()), InternalError.code
        if exchange.connection.is_refused:
            return
        record = reply.record or self._record(exchange, reply, code)
        if not exchange.is_logged:
            log_response(record, is_quiet=exchange.path in {HEALTH_PATH, READY_PATH})
        self._observe(record, exchange.seconds)
        await self._sender.send(exchange, reply, send)

    async def _reply(self, exchange: Exchange) -> Reply:
        method, path = exchange.method, exchange.path
        exchange.owner = exchange.connection.address
        if path in {HEALTH_PATH, READY_PATH} and method in {"GET", "HEAD"}:
            return await self._answer_status(exchange)
        if method == "POST" and path in self._uploads:
            return await self._receive_upload(self._uploads[path], exchange)
        found = self._paths.find(path)
        has_route = found is not None and method in self._routes[found.route]
        if has_route and method == "POST" and path in PHOTO_PATHS:
            return await self._answer_photo(exchange)
        account, body = "", b""
        if has_route and uses_store(path) and not exchange.has_many_keys():
            account = (await self._require_key(exchange)).account_id
            with self._concurrent_bodies.count(account):
                body = await self._read_small(exchange) if method == "POST" else b""
        request = exchange.request(body)
        reply = await self._inline.respond(request, account=account, client=exchange.client())
        exchange.is_logged = True
        return reply

    async def _answer_status(self, exchange: Exchange) -> Reply:
        """Respond to `/health` without checks, and to `/ready` after the readiness checks."""
        status = "ok"
        if exchange.path == READY_PATH:
            await self._readiness.require()
            status = "ready"
        document = response.json_response({"status": status}, f"req_{exchange.request_id}")
        return to_reply(response.proxy_response(document))

    async def _answer_photo(self, exchange: Exchange) -> Reply:
        if exchange.has_many_keys():  # the handler rejects the request
            reply = await self._inline.respond(
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
        with self._bodies.body(factors) as memory:
            request = exchange.request(await self._read_photo(exchange, key, memory))
            reply = await self._pool.respond(
                request, account=key.account_id, client=exchange.client()
            )
        exchange.is_logged = True
        if reply.status in REJECTED_KEY:
            self._known_keys.forget(key)
        return reply

    async def _require_key(self, exchange: Exchange) -> ApiKey:
        """Return the key if the store has it; otherwise raise an error before the body is read."""
        key = keys.parse(exchange.header(exchange.key_header))
        await self._known_keys.require(key)
        exchange.connection.mark_known_key()
        exchange.owner, exchange.key = f"account {key.account_id}", key
        return key

    async def _read_photo(self, exchange: Exchange, key: ApiKey, memory: BodyMemory) -> bytes:
        """Return the body, or only a part of it if the handler will reject the request."""
        body, received = exchange.body, bytearray()
        content_type = exchange.header(b"content-type").lower()
        is_read = is_removebg(exchange.path) or content_type.startswith("multipart/form-data")
        limit = (
            self._removebg_max_body_bytes if is_removebg(exchange.path) else self._max_body_bytes
        )
        if body.declared_bytes > limit or not is_read:
            return b""
        max_bytes = limit + 1
        with self._concurrent_bodies.count(key.account_id):
            async for chunk in body.chunks():
                part = chunk[: max_bytes - len(received)]
                memory.allocate(len(part))
                received += part
                if len(received) == max_bytes:
                    break
        return bytes(received)

    async def _read_small(self, exchange: Exchange) -> bytes:
        received = bytearray()
        if exchange.body.declared_bytes <= SMALL_BYTES:
            async for chunk in exchange.body.chunks():
                received += chunk
                if len(received) > SMALL_BYTES:
                    break
        return bytes(received)

    async def _receive_upload(self, receive: ReceiveUpload, exchange: Exchange) -> Reply:
        await receive(exchange.header(b"content-type"), exchange.body.chunks())
        return to_reply(response.proxy_response(response.no_content(f"req_{exchange.request_id}")))

    def _record(self, exchange: Exchange, reply: Reply, code: str | None) -> ResponseRecord:
        """Return the log record of a response that this application creates itself."""
        key = exchange.key
        return ResponseRecord(
            request_id=f"req_{exchange.request_id}",
            method=logged_method(exchange.method),
            path=self._route(exchange),
            status=reply.status,
            duration_ms=round(exchange.seconds * 1000),
            code=code,
            account=key.account_id if key else None,
            key_prefix=key.prefix if key else None,
            bytes_out=len(reply.body),
        )

    def _route(self, exchange: Exchange) -> str:
        """Return the route for the log; unknown paths can contain a key and are not logged."""
        found = self._paths.find(exchange.path)
        if found is None:
            return exchange.path if exchange.path in {*self._uploads, READY_PATH} else UNROUTED
        return found.route

    def _log_disconnect(self, exchange: Exchange) -> None:
        if not exchange.connection.is_refused:
            LOGGER.info("%s: the client has disconnected", exchange.request_id)

"""One request: its state, and how its response is sent."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bgblur.serving.body import Body, header
from bgblur.serving.memory_budgets import ResultBudget
from bgblur.serving.proxy_events import ClientDisconnected, ClientState, Reply, to_reply, to_request
from blur.api import response
from blur.api.log_values import UNKNOWN_METHOD, UNROUTED
from blur.api.removebg.errors import error_document
from blur.api.removebg.paths import key_header
from blur.api.response_record import ResponseRecord
from blur.clock import now

if TYPE_CHECKING:
    from bgblur.serving.ports import Connection, Send
    from bgblur.serving.proxy_events import HeaderPairs, Request
    from blur.accounts.keys import ApiKey
    from blur.errors import ApiError

SMALL_BYTES = 65_536
"""The size of the largest body that is read for a request without a photo. After a response, the
rest of a body of at most this size is read and dropped, to keep the connection open."""

SMALL_BODY_S = 1.0
"""The time limit for reading and dropping the rest of a body."""

SLICE_BYTES = 65_536
"""The size of the parts in which a response is written to the socket."""

CLOSE = (b"connection", b"close")


@dataclass(slots=True)
class Exchange:
    """One request, and its state until the response is sent."""

    scope: Mapping[str, Any]
    body: Body
    connection: Connection
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started_s: float = field(default_factory=time.monotonic)
    owner: str = ""
    """The client for which the response's memory is counted: the account, or the client's address
    if the account is not known."""
    key: ApiKey | None = None
    """The API key of the request, once the server has found it in the store."""
    is_logged: bool = False
    """Whether a handler has logged the response."""

    @property
    def method(self) -> str:
        """The method, in upper case."""
        return str(self.scope["method"]).upper()

    @property
    def path(self) -> str:
        """The path without a trailing slash."""
        return str(self.scope["path"]).rstrip("/") or "/"

    @property
    def seconds(self) -> float:
        """The time since the request's head arrived."""
        return time.monotonic() - self.started_s

    def header(self, name: bytes) -> str:
        """Return the value of the first header with this name, or an empty text."""
        return header(self.scope, name).decode("latin-1")

    @property
    def key_header(self) -> bytes:
        """The name of the header with the API key, in lower case."""
        return key_header(self.path).lower().encode()

    def has_many_keys(self) -> bool:
        """Return whether the request has more than one header with an API key."""
        headers: HeaderPairs = self.scope["headers"]
        return sum(name == self.key_header for name, _ in headers) > 1

    def request(self, body: bytes = b"") -> Request:
        """Return the request with this body."""
        return to_request(self.scope, body, request_id=self.request_id)

    def error_reply(self, error: ApiError) -> Reply:
        """Return the response for an error, in the error format of the path's API."""
        return error_reply(error, self.request_id, path=self.path)

    def client(self) -> ClientState:
        """Watch the connection from now on, and return the client's state.

        Raises:
            ClientDisconnected: the request is malformed, and `Protocol` has already sent the
                error.

        """
        if self.connection.is_refused:
            raise ClientDisconnected
        self.connection.watch()
        return ClientState(self.connection.lost)


class ResponseSender:
    """Sends responses in slices, and limits the memory of responses that clients have not read."""

    def __init__(self, total_bytes: int) -> None:
        """Keep at most `total_bytes` of responses in memory."""
        self._results = ResultBudget(total_bytes)

    async def send(self, exchange: Exchange, reply: Reply, send: Send) -> None:
        """Send a response, then read the rest of the request's body or close the connection.

        Many clients start to read only after they have sent their whole body. The response is sent
        first, so that it has arrived when such a client starts to read.
        """
        body = exchange.body
        is_small = body.declared_bytes <= SMALL_BYTES
        keeps_open = body.is_complete or (
            is_small and not body.is_chunked and not body.expects_continue
        )
        headers = reply.headers if keeps_open else [*reply.headers, CLOSE]
        content = b"" if exchange.method == "HEAD" else reply.body
        with self._results.track(exchange.owner, len(content), exchange.connection.abort):
            start = {"type": "http.response.start", "status": reply.status, "headers": headers}
            await send(start)
            for at in range(0, len(content), SLICE_BYTES):
                part = content[at : at + SLICE_BYTES]
                await send({"type": "http.response.body", "body": part, "more_body": True})
            exchange.connection.mark_responded()
            if not body.is_complete and keeps_open:
                await body.discard(SMALL_BYTES, SMALL_BODY_S)
            if not body.is_complete:
                await exchange.connection.linger()
            await send({"type": "http.response.body"})


def unread_record(request_id: str, reply: Reply, error: ApiError) -> ResponseRecord:
    """Return the record of the error response to a request that could not be read."""
    return ResponseRecord(
        request_id=f"req_{request_id}",
        method=UNKNOWN_METHOD,
        path=UNROUTED,
        status=reply.status,
        duration_ms=0,
        code=error.code,
        bytes_out=len(reply.body),
    )


def error_reply(error: ApiError, request_id: str, *, path: str | None) -> Reply:
    """Return an error as an HTTP response, in the error format of the path's API.

    If the request could not be read, its path is unknown, and the response has the fields of both
    APIs: this API and the one that remove.bg's clients use.
    """
    sent = response.error_response(error, f"req_{request_id}", path=path or "", now_us=now())
    if path is None:
        sent.body = json.dumps({**json.loads(str(sent.body)), **error_document(error)})
    return to_reply(response.proxy_response(sent))

"""Convert ASGI requests to API Gateway events, and proxy responses to HTTP.

The event has the structure of API Gateway's REST proxy format (payload version 1.0), so the handler
needs no code for the embedded server:
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

import pybase64

from blur.api.request import LONGEST_MS, always_connected

if TYPE_CHECKING:
    from blur.api.response_record import Observe, ResponseRecord
    from blur.api.router import Router

HeaderPairs = list[tuple[bytes, bytes]]


class ClientDisconnected(Exception):  # noqa: N818 - ASGI libraries use this name
    """The client has closed the connection, so no response can be sent."""


@dataclass(frozen=True, slots=True)
class ClientState:
    """The state of a client that waits for a response."""

    disconnected: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client closes the connection."""


class Request(NamedTuple):
    """An HTTP request with its whole body. It can be pickled for a worker process."""

    request_id: str
    http_version: str
    method: str
    path: str
    query: bytes
    headers: HeaderPairs
    client_host: str
    body: bytes

    def __repr__(self) -> str:
        """Return a description without keys and images, because it can appear in logs."""
        return f"<{self.method} {self.path}, {len(self.body)} bytes>"


class Reply(NamedTuple):
    """An HTTP response. A response can be sent to another process."""

    status: int
    headers: HeaderPairs
    body: bytes
    record: ResponseRecord | None = None
    """The record that the handler has logged; None if no handler made a record."""

    def __repr__(self) -> str:
        """Return a description without images and without links to images."""
        return f"<{self.status}, {len(self.body)} bytes>"


def to_request(scope: Mapping[str, Any], body: bytes, *, request_id: str) -> Request:
    """Convert an ASGI HTTP scope and a body to a request."""
    return Request(
        request_id,
        scope["http_version"],
        scope["method"],
        scope["path"],
        scope["query_string"],
        list(scope["headers"]),
        (scope.get("client") or ("", 0))[0],
        body,
    )


@dataclass(frozen=True, slots=True)
class InvocationContext:
    """The parts of Lambda's context object that the handler uses, and the state of the client."""

    left_ms: int = LONGEST_MS
    is_client_connected: Callable[[], bool] = always_connected
    """Return whether the client can still receive the response."""
    function_name: str = "bgblur-serve"
    function_version: str = "$LATEST"
    invoked_function_arn: str = "arn:aws:lambda:local:000000000000:function:bgblur-serve"
    memory_limit_in_mb: int = 0
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        """Return the time until the server stops the call; by default Lambda's maximum."""
        return self.left_ms


def to_event(request: Request) -> dict[str, Any]:
    """Build the event of a request.

    The body is always base64, as on AWS, where template.yaml declares all media types as binary.
    """
    headers = _grouped(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers
    )
    query = _grouped(parse_qsl(request.query.decode("latin-1"), keep_blank_values=True))
    return {
        "resource": request.path,
        "path": request.path,
        "httpMethod": request.method,
        "headers": _last(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": _last(query) or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "httpMethod": request.method,
            "identity": {
                "sourceIp": request.client_host,
                "userAgent": _last(headers).get("user-agent", ""),
            },
            "path": request.path,
            "protocol": f"HTTP/{request.http_version}",
            "requestId": request.request_id,
            "requestTimeEpoch": time.time_ns() // 1_000_000,
            "resourceId": "local",
            "resourcePath": request.path,
            "stage": "local",
        },
        "body": pybase64.b64encode_as_string(request.body) if request.body else None,
        "isBase64Encoded": bool(request.body),
    }


def to_reply(proxied: Mapping[str, Any]) -> Reply:
    """Convert a proxy response to an HTTP response."""
    text = proxied.get("body") or ""
    body = pybase64.b64decode(text) if proxied.get("isBase64Encoded") else text.encode()
    many = {name: [value] for name, value in (proxied.get("headers") or {}).items()}
    many |= proxied.get("multiValueHeaders") or {}
    pairs = [
        (name.lower().encode("latin-1"), str(value).encode("latin-1"))
        for name, values in many.items()
        for value in values
    ]
    # A response to HEAD already has a Content-Length.
    if not any(name == b"content-length" for name, _ in pairs):
        pairs.append((b"content-length", b"%d" % len(body)))
    return Reply(int(proxied["statusCode"]), pairs, body)


class RecordedHandler:
    """The handler of this process. It returns each reply with the record that was logged."""

    def __init__(self, build: Callable[[Observe], Router]) -> None:
        """Build the handler; `build` gets the function that the handler calls with each record."""
        self._records: deque[ResponseRecord] = deque(maxlen=1)
        self._handler = build(self._records.append)
        self.routes = self._handler.routes

    def __call__(self, request: Request, context: InvocationContext) -> Reply:
        """Handle one request."""
        self._records.clear()
        reply = to_reply(self._handler(to_event(request), context))
        return reply._replace(record=self._records[0] if self._records else None)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        groups[name].append(value)
    return dict(groups)


def _last(groups: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: values[-1] for name, values in groups.items()}

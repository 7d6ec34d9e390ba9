"""HTTP as uvicorn hands it over (ASGI), turned into what API Gateway sends, and back.

The event has every field of API Gateway's REST proxy format (payload version 1.0), so that
the handler cannot tell the difference:
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import pybase64

from blur.api.request import LONGEST_MS, always_connected

HeaderPairs = list[tuple[bytes, bytes]]


class ClientDisconnected(Exception):  # noqa: N818 - the name that ASGI libraries use
    """The client has closed the connection: no answer can be delivered."""


@dataclass(frozen=True, slots=True)
class ClientState:
    """What the server knows of a client that waits for an answer."""

    disconnected: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client closes the connection."""


class Request(NamedTuple):
    """An HTTP request with its whole body, in what can be sent to another process."""

    request_id: str
    http_version: str
    method: str
    path: str
    query: bytes
    headers: HeaderPairs
    client_host: str
    body: bytes

    def __repr__(self) -> str:
        """Show neither keys nor pictures, wherever it may be printed."""
        return f"<{self.method} {self.path}, {len(self.body)} bytes>"


class Reply(NamedTuple):
    """An HTTP response, likewise."""

    status: int
    headers: HeaderPairs
    body: bytes

    def __repr__(self) -> str:
        """Show no picture, and no link to one."""
        return f"<{self.status}, {len(self.body)} bytes>"


def to_request(scope: Mapping[str, Any], body: bytes, *, request_id: str) -> Request:
    """Take what matters out of an ASGI HTTP scope."""
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
    """The parts of Lambda's context object that a handler may read, and the client's state."""

    left_ms: int = LONGEST_MS
    is_client_connected: Callable[[], bool] = always_connected
    """Return whether the client can still receive the answer."""
    function_name: str = "bgblur-serve"
    function_version: str = "$LATEST"
    invoked_function_arn: str = "arn:aws:lambda:local:000000000000:function:bgblur-serve"
    memory_limit_in_mb: int = 0
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        """Return the time until the server ends the call; Lambda's longest by default."""
        return self.left_ms


def to_event(request: Request) -> dict[str, Any]:
    """Build the event of a request.

    The body is always base64, as it is with the binary media type `*/*` (template.yaml).
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


def to_reply(answer: Mapping[str, Any]) -> Reply:
    """Return the HTTP response that a proxy response describes."""
    text = answer.get("body") or ""
    body = pybase64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
    many = {name: [value] for name, value in (answer.get("headers") or {}).items()}
    many |= answer.get("multiValueHeaders") or {}
    pairs = [
        (name.lower().encode("latin-1"), str(value).encode("latin-1"))
        for name, values in many.items()
        for value in values
    ]
    if not any(name == b"content-length" for name, _ in pairs):  # an answer to HEAD has its own
        pairs.append((b"content-length", b"%d" % len(body)))
    return Reply(int(answer["statusCode"]), pairs, body)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        groups[name].append(value)
    return dict(groups)


def _last(groups: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: values[-1] for name, values in groups.items()}

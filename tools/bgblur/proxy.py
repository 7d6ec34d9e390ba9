"""HTTP as uvicorn hands it over (ASGI), turned into what API Gateway sends, and back.

The event has every field of API Gateway's REST proxy format (payload version 1.0), so that
the handler cannot tell the difference:
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import base64
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from blur.api.request import LONGEST_MS

HeaderPairs = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class InvocationContext:
    """The parts of Lambda's context object that a handler may read."""

    function_name: str = "bgblur-serve"
    function_version: str = "$LATEST"
    invoked_function_arn: str = "arn:aws:lambda:local:000000000000:function:bgblur-serve"
    memory_limit_in_mb: int = 0
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def get_remaining_time_in_millis(self) -> int:
        """Return Lambda's longest: nothing ends a call of this server's."""
        return LONGEST_MS


def to_event(scope: Mapping[str, Any], body: bytes, *, request_id: str) -> dict[str, Any]:
    """Build the event of an ASGI HTTP scope and its whole body.

    The body is always base64, as it is with the binary media type `*/*` (template.yaml).
    """
    headers = _grouped(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
    )
    query = _grouped(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    method, path = scope["method"], scope["path"]
    client_host = (scope.get("client") or ("", 0))[0]
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": _last(headers),
        "multiValueHeaders": headers,
        "queryStringParameters": _last(query) or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "httpMethod": method,
            "identity": {
                "sourceIp": client_host,
                "userAgent": _last(headers).get("user-agent", ""),
            },
            "path": path,
            "protocol": f"HTTP/{scope['http_version']}",
            "requestId": request_id,
            "requestTimeEpoch": time.time_ns() // 1_000_000,
            "resourceId": "local",
            "resourcePath": path,
            "stage": "local",
        },
        "body": base64.b64encode(body).decode("ascii") if body else None,
        "isBase64Encoded": bool(body),
    }


def from_answer(answer: Mapping[str, Any]) -> tuple[int, HeaderPairs, bytes]:
    """Return the status, the headers and the body of a proxy response."""
    text = answer.get("body") or ""
    body = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
    many = {name: [value] for name, value in (answer.get("headers") or {}).items()}
    many |= answer.get("multiValueHeaders") or {}
    pairs = [
        (name.lower().encode("latin-1"), str(value).encode("latin-1"))
        for name, values in many.items()
        for value in values
    ]
    return int(answer["statusCode"]), [*pairs, (b"content-length", b"%d" % len(body))], body


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        groups[name].append(value)
    return dict(groups)


def _last(groups: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: values[-1] for name, values in groups.items()}

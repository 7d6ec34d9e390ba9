"""The HTTP request of a REST API proxy event.

The event has the format of API Gateway's "Lambda proxy integration" input, payload version 1.0:
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pybase64

from blur.errors import InvalidRequestError
from blur.measurements import Measurements

LONGEST_MS = 900_000
"""The maximum time that a Lambda function can run."""

SINGLETON_HEADERS = (
    "ApiKey",
    "Content-Length",
    "Content-Type",
    "Host",
    "Idempotency-Key",
    "Transfer-Encoding",
    "X-Api-Key",
)
"""Headers that can be sent only once. With two values, a proxy and this service could use different
values (RFC 9110, 5.3)."""

URLENCODED = "application/x-www-form-urlencoded"
_BASE64_OF_TWO_HYPHENS = re.compile("LS[0-3]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_GATEWAY_ID = re.compile(r"[A-Za-z0-9-]{1,100}")


def always_connected() -> bool:
    """Return True: API Gateway does not report that a client has disconnected."""
    return True


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request, with header names in lower case, and with the body encoded as in the event.

    The `repr` contains no keys and no photos.
    """

    method: str
    path: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    request_id: str
    raw_body: str = field(repr=False)
    is_base64: bool
    left_ms: int
    """Milliseconds until Lambda stops the process."""
    public_path: str = field(repr=False)
    """The path in the URL of the client. On API Gateway, it starts with the stage, or with the base
    path of a custom domain."""
    is_client_connected: Callable[[], bool] = field(default=always_connected, repr=False)
    """Return whether the client is still connected; True if this is unknown."""
    repeated_headers: tuple[str, ...] = ()
    """The headers that a request can contain only once, but that this request repeats."""
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The parameters of the URL, decoded; if a parameter is repeated, its last value counts."""
    path_parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The values of the parameters in the route's path; the router sets them."""
    measured: Measurements = field(default_factory=Measurements, repr=False, compare=False)
    """The measurements of this request, for its log line and metrics."""

    def body(self) -> bytes:
        """Return the body's bytes.

        A gateway sends a binary body as base64 with a flag. If a gateway treats the body as text,
        it sends a string with one character for each byte, or base64 without the flag. For a
        multipart body, these two can be distinguished: the body starts with `--`, and base64 never
        contains `-`. A string with characters above U+00FF is encoded as UTF-8.

        Raises:
            InvalidRequestError: the body is sent as base64, but is not valid base64.

        """
        if self.is_base64:
            return _decode_base64(self.raw_body)
        is_urlencoded = self.headers.get("content-type", "").lower().startswith(URLENCODED)
        if _BASE64_OF_TWO_HYPHENS.match(self.raw_body) and not is_urlencoded:
            return _decode_base64(self.raw_body)
        try:
            return self.raw_body.encode("latin-1")
        except UnicodeEncodeError:
            return self.raw_body.encode(errors="surrogatepass")


def from_event(
    event: Mapping[str, Any],
    *,
    left_ms: int = LONGEST_MS,
    is_client_connected: Callable[[], bool] = always_connected,
    base_path: str = "",
) -> HttpRequest:
    """Return the request in a proxy event; any part of the event can be missing or null.

    With a custom domain, the path in the event starts with the domain's base path. So
    `/<base_path>` is removed from the start of the path.
    """
    return HttpRequest(
        method=str(event.get("httpMethod") or "").upper(),
        path=_without_base(_path(event), base_path),
        headers=_headers(event),
        request_id=_request_id(event),
        raw_body=event.get("body") or "",
        is_base64=bool(event.get("isBase64Encoded")),
        left_ms=left_ms,
        public_path=_public_path(event),
        is_client_connected=is_client_connected,
        repeated_headers=_repeated_headers(event),
        query=_query(event),
    )


def _path(source: Mapping[str, Any]) -> str:
    """Return the path with control characters percent-encoded, as the client sent them."""
    return _CONTROL.sub(lambda match: quote(match[0]), str(source.get("path") or "/"))


def _without_base(path: str, base_path: str) -> str:
    base = f"/{base_path}"
    if not base_path or not (path == base or path.startswith(f"{base}/")):
        return path
    return path.removeprefix(base) or "/"


def _public_path(event: Mapping[str, Any]) -> str:
    context = event.get("requestContext") or {}
    return _path(context if context.get("path") else event)


def _decode_base64(text: str) -> bytes:
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError as error:  # ValueError is the superclass of binascii.Error
        message = "The request body is not valid base64."
        raise InvalidRequestError(message) from error


def _headers(event: Mapping[str, Any]) -> dict[str, str]:
    """Return the last value of each header, as in API Gateway's `headers`."""
    many = event.get("multiValueHeaders") or {}
    last = {name: values[-1] for name, values in many.items() if values}
    headers = {**last, **(event.get("headers") or {})}
    return {name.lower(): value for name, value in headers.items() if value is not None}


def _query(event: Mapping[str, Any]) -> dict[str, str]:
    """Return the last value of each parameter, as in API Gateway's `queryStringParameters`."""
    many = event.get("multiValueQueryStringParameters") or {}
    last = {name: values[-1] for name, values in many.items() if values}
    query = {**last, **(event.get("queryStringParameters") or {})}
    return {name: value for name, value in query.items() if value is not None}


def _repeated_headers(event: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the `SINGLETON_HEADERS` that are repeated; upper and lower case are equal."""
    many = event.get("multiValueHeaders") or {}
    one = {name: [value] for name, value in (event.get("headers") or {}).items()}
    counts: Counter[str] = Counter()
    for name, values in (many or one).items():
        counts[name.lower()] += len(values or ())
    return tuple(name for name in SINGLETON_HEADERS if counts[name.lower()] > 1)


def _request_id(event: Mapping[str, Any]) -> str:
    """Return an id for the request, which contains API Gateway's id if the event has a valid one.

    With this id, operators can also find the request in the logs of API Gateway.
    """
    gateway_id = (event.get("requestContext") or {}).get("requestId")
    if isinstance(gateway_id, str) and _GATEWAY_ID.fullmatch(gateway_id):
        return f"req_{gateway_id}"
    return f"req_{uuid.uuid4()}"

"""A REST API proxy event, read as the HTTP request it came from.

The event's format is API Gateway's "Lambda proxy integration" input, payload version 1.0:
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

LONGEST_MS = 900_000
"""The longest that Lambda lets any function run."""

SINGLETON_HEADERS = (
    "ApiKey",
    "Content-Length",
    "Content-Type",
    "Host",
    "Idempotency-Key",
    "Transfer-Encoding",
)
"""Headers that a request can have only once. Of two values, a proxy can read one and this service
the other (RFC 9110, 5.3)."""

_BASE64_OF_TWO_HYPHENS = re.compile("LS[0-3]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_GATEWAY_ID = re.compile(r"[A-Za-z0-9-]{1,100}")


def always_connected() -> bool:
    """Return True: API Gateway does not report that a client has disconnected."""
    return True


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request: header names in lower case, the body still as the event carries it.

    What a request has of a key or a photo is left out of the text that Python makes of it.
    """

    method: str
    path: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    request_id: str
    raw_body: str = field(repr=False)
    is_base64: bool
    left_ms: int
    """Milliseconds until the process that answers it is ended."""
    public_path: str = field(repr=False)
    """The path as the client has it: a stage of the gateway comes first in it."""
    is_client_connected: Callable[[], bool] = field(default=always_connected, repr=False)
    """Return whether the client can still receive the answer; True where that is unknown."""
    repeated_headers: tuple[str, ...] = ()
    """The singleton headers that the request has more than once."""

    def body(self) -> bytes:
        """Return the body's bytes.

        A gateway that knows the body is binary sends base64 and says so. One that does not
        sends text: either one character for each byte, or the base64 without the flag,
        which cannot be mistaken for a form, since `-` is not in its alphabet.

        Raises:
            InvalidRequestError: the event says base64 and it is not.

        """
        if self.is_base64:
            return _decode_base64(self.raw_body)
        if _BASE64_OF_TWO_HYPHENS.match(self.raw_body):  # which every form begins with
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
) -> HttpRequest:
    """Read a proxy event, whatever of it is missing or null."""
    return HttpRequest(
        method=str(event.get("httpMethod") or "").upper(),
        path=_path(event),
        headers=_headers(event),
        request_id=_request_id(event),
        raw_body=event.get("body") or "",
        is_base64=bool(event.get("isBase64Encoded")),
        left_ms=left_ms,
        public_path=_public_path(event),
        is_client_connected=is_client_connected,
        repeated_headers=_repeated_headers(event),
    )


def _path(told: Mapping[str, Any]) -> str:
    """Return the path, its control characters as on the wire: no route and no header has any."""
    return _CONTROL.sub(lambda found: quote(found[0]), str(told.get("path") or "/"))


def _public_path(event: Mapping[str, Any]) -> str:
    context = event.get("requestContext") or {}
    return _path(context if context.get("path") else event)


def _decode_base64(text: str) -> bytes:
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError as error:  # which binascii.Error is too
        message = "The event marks the request body as base64, but it is not."
        raise InvalidRequestError(message) from error


def _headers(event: Mapping[str, Any]) -> dict[str, str]:
    """Take the last value of each header, as API Gateway's own single-value form does."""
    many = event.get("multiValueHeaders") or {}
    last = {name: values[-1] for name, values in many.items() if values}
    told = {**last, **(event.get("headers") or {})}
    return {name.lower(): value for name, value in told.items() if value is not None}


def _repeated_headers(event: Mapping[str, Any]) -> tuple[str, ...]:
    """Count names in any case. Where there is no multi-value form, two cases are two headers."""
    many = event.get("multiValueHeaders") or {}
    one = {name: [value] for name, value in (event.get("headers") or {}).items()}
    counts: Counter[str] = Counter()
    for name, values in (many or one).items():
        counts[name.lower()] += len(values or ())
    return tuple(name for name in SINGLETON_HEADERS if counts[name.lower()] > 1)


def _request_id(event: Mapping[str, Any]) -> str:
    """Derive our id from the gateway's, so that its access log and ours name the same call."""
    given = (event.get("requestContext") or {}).get("requestId")
    if isinstance(given, str) and _GATEWAY_ID.fullmatch(given):
        return f"req_{given}"
    return f"req_{uuid.uuid4()}"

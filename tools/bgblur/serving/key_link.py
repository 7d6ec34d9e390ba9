"""One-time codes: a link to the page contains a code, which the page exchanges for an API key.

Links end up in the browser's history, in screenshots and in chats. A code stops working after its
first use or after `TTL_S` seconds; a key would stay valid.
"""

from __future__ import annotations

import json
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any

from bgblur.serving.body import Body
from bgblur.serving.proxy_events import ClientDisconnected
from blur.errors import InvalidRequestError

EXCHANGE_PATH = "/key-link"
TTL_S = 15 * 60
MAX_BODY_BYTES = 1000

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]


class KeyLinks:
    """The codes that were issued and not exchanged yet; they are only in memory."""

    def __init__(
        self,
        *,
        new_code: Callable[[], str] = lambda: secrets.token_urlsafe(16),
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use `new_code` to make random codes, and `monotonic_s` as the clock."""
        self._new_code = new_code
        self._monotonic_s = monotonic_s
        self._issued: dict[str, tuple[str, float]] = {}

    def issue(self, api_key: str) -> str:
        """Return a new one-time code that can be exchanged for this key."""
        code = self._new_code()
        self._issued[code] = api_key, self._monotonic_s() + TTL_S
        return code

    def redeem(self, code: str) -> str | None:
        """Return the key for a code, once; None if the code is unknown, used or expired."""
        api_key, expires_s = self._issued.pop(code, (None, 0.0))
        return api_key if self._monotonic_s() < expires_s else None


class KeyLinkExchange:
    """ASGI middleware: handles `POST /key-link` and passes all other requests on."""

    def __init__(self, application: Application, links: KeyLinks) -> None:
        """Wrap `application`; `links` has the one-time codes and their keys."""
        self._application = application
        self._links = links

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Handle one HTTP request."""
        if scope["type"] != "http" or (scope["method"], scope["path"]) != ("POST", EXCHANGE_PATH):
            await self._application(scope, receive, send)
            return
        request_id = str(uuid.uuid4())
        try:
            body = await _read_body(scope, receive)
        except ClientDisconnected:
            return
        api_key = self._links.redeem(_code_in(body))
        status, code = HTTPStatus.OK, None
        document: Mapping[str, Any] = {"key": api_key}
        if api_key is None:
            status, code, document = HTTPStatus.NOT_FOUND, "not_found", _error(request_id)
        # Imported here, because these modules import the whole API, which only `serve` needs.
        from bgblur.serving.access_log import log_response  # noqa: PLC0415
        from blur.api.response_record import ResponseRecord  # noqa: PLC0415

        log_response(
            ResponseRecord(
                request_id=f"req_{request_id}",
                method="POST",
                path=EXCHANGE_PATH,
                status=status.value,
                duration_ms=0,
                code=code,
            )
        )
        await _send_response(send, status, document, request_id)


async def _read_body(scope: Mapping[str, Any], receive: Receive) -> bytes:
    received = b""
    try:
        async for chunk in Body(scope, receive).chunks():
            received += chunk
            if len(received) > MAX_BODY_BYTES:
                return b""
    except InvalidRequestError:
        return b""
    return received


def _code_in(body: bytes) -> str:
    try:
        code = json.loads(body)["code"]
    except (ValueError, TypeError, KeyError):
        return ""
    return code if isinstance(code, str) else ""


def _error(request_id: str) -> dict[str, Any]:
    message = "This link was used before or has expired. Enter the API key instead."
    return {"error": {"code": "not_found", "message": message, "request_id": f"req_{request_id}"}}


async def _send_response(
    send: Send, status: HTTPStatus, document: Mapping[str, Any], request_id: str
) -> None:
    body = json.dumps(document).encode()
    headers = [
        (b"x-request-id", f"req_{request_id}".encode()),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})

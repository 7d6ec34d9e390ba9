"""Parse responses of the API: an image, an account, or an error to raise."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from blur_client.errors import (
    ERRORS,
    ApiError,
    InternalError,
    ResponseLostError,
    UnexpectedResponseError,
)
from blur_client.urls import absolute_url

if TYPE_CHECKING:
    import requests

Parsed = TypeVar("Parsed")

_SERVER_TIMING_ENTRY = re.compile(
    r'([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*;[^,]*?\bdur="?([0-9]+(?:\.[0-9]+)?)(?![0-9.])'
)
_CREDITS = re.compile(r"[0-9]{1,15}(\.[0-9]{1,2})?")
_SECONDS = re.compile(r"[0-9]{1,9}")
_MAX_TEXT_BYTES = 200
"""The maximum number of bytes that an error message quotes from an unexpected response."""


@dataclass(frozen=True, slots=True)
class BlurResult:
    """The image that the API returned, and the cost of the call."""

    data: bytes = field(repr=False)
    """The image file's bytes."""
    content_type: str
    request_id: str | None
    credits_charged: float | None
    """An int, or a float with the fraction .25, .5 or .75; such floats are exact."""
    credits_left: float | None
    timing_ms: Mapping[str, float]
    """The duration of each step in the service, from `Server-Timing`."""
    replayed: bool
    """Whether an earlier attempt was already charged, so that this response was free."""


@dataclass(frozen=True, slots=True)
class Account:
    """The balance, usage and limits of the key's account."""

    account_id: str
    balance: float
    """An int, or a float with the fraction .25, .5 or .75; such floats are exact."""
    held: float
    """Credits that running calls have reserved."""
    usage: Mapping[str, Mapping[str, float]]
    """`calls` and `credits` by month (UTC), such as `2026-11`."""
    per_minute: int
    burst: int
    key_prefix: str
    key_kind: str
    expires_at: str | None
    """A time in the format of RFC 3339, or None for a key that does not expire."""


def parse_blur_result(response: requests.Response, image: requests.Response) -> BlurResult:
    """Combine the headers of `response` and the file in `image`; both can be the same response.

    Raises:
        UnexpectedResponseError: the file is empty.

    """
    if not image.content:
        raise unexpected(image, _describe(image))
    headers = response.headers
    return BlurResult(
        data=image.content,
        content_type=image.headers.get("Content-Type", "application/octet-stream"),
        request_id=headers.get("X-Request-Id"),
        credits_charged=_parse_credits(headers.get("X-Credits-Charged")),
        credits_left=_parse_credits(headers.get("X-Credits-Remaining")),
        timing_ms=parse_server_timing(headers.get("Server-Timing", "")),
        replayed=headers.get("Idempotent-Replayed") == "true",
    )


def is_image(response: requests.Response) -> bool:
    """Return whether the response has an image file."""
    content_type = response.headers.get("Content-Type", "")
    return response.status_code == HTTPStatus.OK and content_type.startswith("image/")


def redirect_target(response: requests.Response) -> str | None:
    """Return the address to which a 303 response redirects, or None for any other response.

    Raises:
        UnexpectedResponseError: the address is not valid.

    """
    if response.status_code != HTTPStatus.SEE_OTHER or "Location" not in response.headers:
        return None
    try:
        return absolute_url(response.url, response.headers["Location"])
    except ValueError as error:
        raise unexpected(response, f"the response has an invalid redirect: {error}") from error


def parse_document(
    response: requests.Response, parse: Callable[[Mapping[str, Any]], Parsed]
) -> Parsed:
    """Parse the JSON object of a successful response.

    Raises:
        UnexpectedResponseError: a field is missing or has another type.

    """
    try:
        return parse(json_object(response))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"the response has a field that is missing or wrong: {error}"
        raise unexpected(response, message) from error


def parse_account(document: Mapping[str, Any]) -> Account:
    """Parse the JSON of a response to `GET /v2/account`."""
    return Account(
        account_id=document["account_id"],
        balance=document["balance"],
        held=document["held"],
        usage=document["usage"],
        per_minute=document["rate_limit"]["per_minute"],
        burst=document["rate_limit"]["burst"],
        key_prefix=document["key"]["prefix"],
        key_kind=document["key"]["kind"],
        expires_at=document["key"]["expires_at"],
    )


def parse_server_timing(header: str) -> dict[str, float]:
    """Parse `Server-Timing`: milliseconds by the step's name (W3C Server Timing, 3)."""
    return {name: float(dur) for name, dur in _SERVER_TIMING_ENTRY.findall(header)}


def parse_error(response: requests.Response) -> ApiError:
    """Return an error of the API, or `UnexpectedResponseError` for any other response."""
    error = json_object(response).get("error")
    request_id = response.headers.get("X-Request-Id")
    if not isinstance(error, dict) or not isinstance(error.get("code"), str):
        return unexpected(response, _describe(response))
    error_class = ERRORS.get(error["code"], ApiError)
    if error_class is InternalError and "X-Credits-Charged" not in response.headers:
        error_class = ResponseLostError
    return error_class(
        error["code"],
        str(error.get("message", "")),
        status=response.status_code,
        request_id=error.get("request_id", request_id),
        retry_after_s=_parse_int(response.headers.get("Retry-After"))
        or _seconds(error.get("retry_after")),
    )


def unexpected(response: requests.Response, message: str) -> UnexpectedResponseError:
    """Return the error for a response that is not from the API."""
    return UnexpectedResponseError("unexpected_answer", message, status=response.status_code)


def json_object(response: requests.Response) -> dict[str, Any]:
    """Return the JSON object in the body, or an empty object if the body has none."""
    try:
        document = json.loads(response.content)  # JSON is in UTF-8: RFC 8259, 8.1
    except (ValueError, RecursionError):  # the second for thousands of nested lists
        return {}
    return document if isinstance(document, dict) else {}


def _describe(response: requests.Response) -> str:
    url = response.url.partition("?")[0]  # a query can contain a signature
    status = response.status_code
    if response.is_redirect:
        target = response.headers["Location"].partition("?")[0]
        return f"{url} responded with {status}, a redirect to {target}"
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    start = response.content[:_MAX_TEXT_BYTES].decode(errors="replace")
    text = " ".join(start.split()) if kind == "text/plain" or not start else kind
    advice = ". Check the address of the API" if status == HTTPStatus.NOT_FOUND else ""
    return f"{url} responded with {status}: {text or 'an empty response'}{advice}"


def _parse_credits(text: str | None) -> float | None:
    if text is None or not _CREDITS.fullmatch(text):
        return None
    return float(text) if "." in text else int(text)


def _seconds(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return None


def _parse_int(text: str | None) -> int | None:
    return int(text) if text is not None and _SECONDS.fullmatch(text) else None

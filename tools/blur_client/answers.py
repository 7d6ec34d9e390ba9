"""Answers of the service into values: a picture, an account, or an error to raise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from blur_client.errors import ERRORS, ApiError, UnexpectedAnswerError

if TYPE_CHECKING:
    import requests

_TIMED = re.compile(r'([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*;[^,]*?\bdur="?([0-9.]+)')
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Blurred:
    """A finished picture and what the call for it cost."""

    data: bytes
    """The image file's bytes."""
    content_type: str
    request_id: str | None
    credits_charged: int | None
    credits_left: int | None
    timing_ms: Mapping[str, float]
    """The service's own steps, from `Server-Timing`."""
    replayed: bool
    """An earlier attempt had been carried out and charged; this answer was free."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the key's account can spend, and how fast."""

    account_id: str
    balance: int
    held: int
    """Credits that running calls have set aside."""
    usage: Mapping[str, Mapping[str, int]]
    """`calls` and `credits` by month (UTC), such as `2026-11`."""
    per_minute: int
    burst: int
    key_prefix: str
    key_kind: str
    expires_at: str | None
    """RFC 3339, or None for a key without an end."""


def to_blurred(answer: requests.Response, picture: requests.Response) -> Blurred:
    """Join the API's own answer with the one that carries the picture, often the same."""
    headers = answer.headers
    return Blurred(
        data=picture.content,
        content_type=picture.headers.get("Content-Type", "application/octet-stream"),
        request_id=headers.get("X-Request-Id"),
        credits_charged=_whole(headers.get("X-Credits-Charged")),
        credits_left=_whole(headers.get("X-Credits-Remaining")),
        timing_ms=to_timing(headers.get("Server-Timing", "")),
        replayed=headers.get("Idempotent-Replayed") == "true",
    )


def is_picture(answer: requests.Response) -> bool:
    """Tell whether the answer carries an image file."""
    kind = answer.headers.get("Content-Type", "")
    return answer.status_code == HTTPStatus.OK and kind.startswith("image/")


def to_account(document: Mapping[str, Any]) -> Account:
    """Read the document of `GET /v2/account`."""
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


def to_timing(header: str) -> dict[str, float]:
    """Read `Server-Timing`: milliseconds by the step's name (W3C Server Timing, 3)."""
    return {name: float(dur) for name, dur in _TIMED.findall(header)}


def to_error(answer: requests.Response) -> ApiError:
    """Read the contract's error, or say what came in its place."""
    told = json_object(answer).get("error")
    request_id = answer.headers.get("X-Request-Id")
    if not isinstance(told, dict) or not isinstance(told.get("code"), str):
        return UnexpectedAnswerError(
            "unexpected_answer", _unexpected(answer), status=answer.status_code
        )
    kind = ERRORS.get(told["code"], ApiError)
    return kind(
        told["code"],
        str(told.get("message", "")),
        status=answer.status_code,
        request_id=told.get("request_id", request_id),
        retry_after_s=_whole(answer.headers.get("Retry-After")) or told.get("retry_after"),
    )


def json_object(answer: requests.Response) -> dict[str, Any]:
    """Return the object that the answer carries; an empty one if it carries none."""
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _unexpected(answer: requests.Response) -> str:
    host = answer.url.split("?", 1)[0]
    if answer.is_redirect:
        return f"{host} answers {answer.status_code} and points to {answer.headers['Location']}"
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    text = " ".join(answer.text[:_SHOWN].split()) if kind.startswith("text/plain") else kind
    return f"{host} answers {answer.status_code} with {text or 'nothing'}"


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None

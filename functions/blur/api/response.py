"""The contract's answers: a picture, an account or an error, each with its headers."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from blur.api.headers import CORS_HEADERS, standing_headers
from blur.errors import MethodNotAllowedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from blur.accounts.model import Standing
    from blur.errors import ApiError
    from blur.service import Picture


def picture(made: Picture, request_id: str) -> Response[bytes]:
    """Answer with the image's bytes; powertools puts them into the event as base64."""
    replayed = {"Idempotent-Replayed": "true"} if made.replayed else {}
    return Response(
        status_code=HTTPStatus.OK.value,
        content_type=made.image.content_type,
        body=made.image.data,
        headers=_headers(request_id, made.standing) | replayed,
    )


def document(
    body: Mapping[str, Any], request_id: str, standing: Standing | None = None
) -> Response[str]:
    """Answer with a JSON object."""
    return _json(HTTPStatus.OK, body, _headers(request_id, standing))


def error(failed: ApiError, request_id: str) -> Response[str]:
    """Answer with exactly `{"error": {code, message, request_id[, retry_after]}}`."""
    told: dict[str, Any] = {
        "code": failed.code,
        "message": failed.message,
        "request_id": request_id,
    }
    headers = _headers(request_id, failed.standing) | {"X-Credits-Charged": "0"}
    if failed.retry_after_s is not None:
        told["retry_after"] = failed.retry_after_s
        headers["Retry-After"] = str(failed.retry_after_s)
    if isinstance(failed, MethodNotAllowedError):
        headers["Allow"] = ", ".join(failed.allowed)
    return _json(failed.status, {"error": told}, headers)


def preflight(allowed: Sequence[str], request_id: str) -> Response[str]:
    """Answer OPTIONS, which a browser asks before it sends the `ApiKey` header."""
    methods = ", ".join(allowed)
    headers = _headers(request_id, None) | {
        "Allow": methods,
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": "ApiKey, Content-Type, Idempotency-Key",
        "Access-Control-Max-Age": "86400",
    }
    return Response(HTTPStatus.NO_CONTENT.value, None, "", headers)


def _headers(request_id: str, standing: Standing | None) -> dict[str, str | list[str]]:
    common = {
        "X-Request-Id": request_id,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    told = standing_headers(standing) if standing else {}
    return {**common, **CORS_HEADERS, **told}


def _json(
    status: HTTPStatus, body: Mapping[str, Any], headers: dict[str, str | list[str]]
) -> Response[str]:
    return Response(status.value, "application/json", json.dumps(body), headers)

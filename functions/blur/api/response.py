"""The responses of the API: images, JSON documents and errors, with their headers."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pybase64
from aws_lambda_powertools.event_handler import Response

from blur.account_status import AccountStatus, RateLimit, RateLimitStatus
from blur.accounts.model import Instant
from blur.api.headers import removebg_headers, response_headers, server_timing
from blur.api.removebg.errors import error_document, row_of
from blur.api.removebg.paths import is_removebg, key_header
from blur.credits import QUARTER, Credits, whole
from blur.imaging.results import BlurredPhoto, EncodedImage
from blur.service import STEPS, CallResult
from blur.timing import TOTAL, rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from blur.errors import ApiError
    from blur.image_requests import Output
    from blur.storage.ports import Link

_UNUSED = Instant(0)
"""The default of `error_response` for `now_us`. Only errors on remove.bg's paths need the time."""

_LONGEST = 10**15
"""A number that has more digits than any number in the headers of a real response."""
_MOST_CREDITS = Credits(whole(_LONGEST) + QUARTER)
"""`_LONGEST` credits and a quarter, so that the number in a header also has decimals."""


def image_response(result: CallResult[BlurredPhoto], request_id: str) -> Response[Any]:
    """Return the image, or a redirect if the image is in storage.

    The redirect is 303 See Other (RFC 9110, 15.4.4), so clients fetch the image with GET.
    """
    if result.link:
        return _redirect(result, result.link, request_id)
    return Response(
        status_code=HTTPStatus.OK.value,
        content_type=result.output.image.content_type,
        body=result.output.image.data,
        headers=_image_headers(result, request_id),
    )


def max_inline_bytes(max_response_bytes: int) -> int:
    """Return the size of the largest image whose proxy response has at most `max_response_bytes`.

    A proxy response is JSON with the image as base64. The calculation uses the longest possible
    headers, so that no response exceeds the limit. The returned size can therefore be a few hundred
    bytes smaller than necessary.
    """
    rate = RateLimitStatus(RateLimit(1, _LONGEST), _LONGEST, _LONGEST)
    longest = AccountStatus(_MOST_CREDITS, _MOST_CREDITS, rate)
    durations_ms = dict.fromkeys((*STEPS, TOTAL), float(_LONGEST))
    photo = BlurredPhoto(EncodedImage(b"", "image/" + "x" * 20), depth="x" * 20)
    result = CallResult(photo, longest, replayed=True, durations_ms=durations_ms)
    headers = _image_headers(result, "req_" + "x" * 100)
    envelope = {
        "statusCode": HTTPStatus.OK.value,
        "body": "",
        "isBase64Encoded": True,
        "multiValueHeaders": {name: [value] for name, value in headers.items()}
        | {"Content-Type": [photo.image.content_type]},
    }
    return base64_capacity(max_response_bytes - len(json.dumps(envelope)))


def base64_capacity(characters: int) -> int:
    """Return the number of bytes that fit into `characters` of base64: 3 bytes for 4 characters."""
    return max(0, characters) // 4 * 3


def json_response(
    body: Mapping[str, Any],
    request_id: str,
    account_status: AccountStatus | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> Response[str]:
    """Return a response with a JSON object and the headers that all responses of the API have."""
    return json_object(status, body, response_headers(request_id, account_status))


def error_response(
    error: ApiError, request_id: str, *, path: str = "", now_us: Instant = _UNUSED
) -> Response[str]:
    """Return the response for an error.

    The body is `{"error": {code, message, request_id[, retry_after]}}`. Only on remove.bg's paths,
    the status and the body are those of remove.bg's API.
    """
    if is_removebg(path):
        removebg = removebg_headers(request_id, error.account_status, now_us) | error.headers
        return json_object(row_of(error).status, error_document(error), removebg)
    body: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "request_id": request_id,
    }
    if error.retry_after_s is not None:
        body["retry_after"] = error.retry_after_s
    headers = response_headers(request_id, error.account_status) | error.headers
    return json_object(error.status, {"error": body}, headers)


def no_content(request_id: str) -> Response[str]:
    """Return 204 No Content, as S3 does for a stored upload."""
    return Response(HTTPStatus.NO_CONTENT.value, None, "", response_headers(request_id, None))


def encode_body(response: Response[Any]) -> Response[Any]:
    """Encode a binary body as base64, which proxy responses need.

    By default, powertools encodes the body with the standard library. This takes 50 times as long:
    17 ms for 4.4 MB.
    """
    if isinstance(response.body, bytes):
        response.body = pybase64.b64encode_as_string(response.body)
        response.base64_encoded = True
    return response


def proxy_response(response: Response[Any]) -> dict[str, Any]:
    """Return a response with a text body as a proxy response, without powertools' resolver."""
    headers = {**response.headers, "Content-Type": response.content_type}
    return {
        "statusCode": response.status_code,
        "headers": {name: value for name, value in headers.items() if value},
        "body": response.body,
    }


def preflight_response(allowed: Sequence[str], request_id: str, *, path: str = "") -> Response[str]:
    """Return the response to OPTIONS, which browsers send before a request to another origin."""
    methods = ", ".join(allowed)
    headers = response_headers(request_id, None) | {
        "Allow": methods,
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": f"{key_header(path)}, Content-Type, Idempotency-Key",
        "Access-Control-Max-Age": "86400",
    }
    return Response(HTTPStatus.NO_CONTENT.value, None, "", headers)


def _redirect(result: CallResult[BlurredPhoto], link: Link, request_id: str) -> Response[str]:
    image = result.output.image
    body = {
        "url": link.url,
        "expires_at": rfc3339(Instant(link.expires_us)),
        "bytes": len(image.data),
        "content_type": image.content_type,
    }
    headers = _image_headers(result, request_id) | {"Location": link.url}
    return json_object(HTTPStatus.SEE_OTHER, body, headers)


def _image_headers(result: CallResult[BlurredPhoto], request_id: str) -> dict[str, str | list[str]]:
    depth = {"X-Depth": result.output.depth}
    return response_headers(request_id, result.status) | call_headers(result) | depth


def call_headers(result: CallResult[Output]) -> dict[str, str]:
    """Return the header with the time of each step, and the header that marks a replay."""
    replayed = {"Idempotent-Replayed": "true"} if result.replayed else {}
    return {"Server-Timing": server_timing(result.durations_ms), **replayed}


def json_object(
    status: HTTPStatus, body: Mapping[str, Any], headers: dict[str, str | list[str]]
) -> Response[str]:
    """Return a response with a JSON object and only these headers."""
    return Response(status.value, "application/json", json.dumps(body), headers)

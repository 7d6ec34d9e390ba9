"""Responses and their headers, and which results fit into a proxy response."""

from __future__ import annotations

import base64
import json

import pytest
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from events import make

from blur.account_status import AccountStatus, RateLimit, RateLimitStatus
from blur.accounts.model import Instant
from blur.api import response
from blur.credits import Credits, whole
from blur.errors import InternalError, MethodNotAllowedError, RateLimitError
from blur.imaging.results import BlurredPhoto, EncodedImage
from blur.parameter_errors import InvalidRadiusError
from blur.service import STEPS, CallResult
from blur.storage.ports import Link
from blur.timing import TOTAL

LAMBDA_BYTES = 6_291_556
STATUS = AccountStatus(whole(1), whole(999), RateLimitStatus(RateLimit(100, 100), 99, 1))
REQUEST_ID = "req_1"
COMMON = {
    "X-Request-Id": REQUEST_ID,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Access-Control-Allow-Origin": "*",
    "Timing-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "X-Request-Id, X-Credits-Charged, X-Credits-Remaining, RateLimit, RateLimit-Policy, "
        "Retry-After, Idempotent-Replayed, Server-Timing, X-Depth, Link"
    ),
}
JSON = {"Content-Type": "application/json"}
ACCOUNT_HEADERS = {
    "X-Credits-Charged": "1",
    "X-Credits-Remaining": "999",
    "RateLimit-Policy": '"requests";q=100;w=60',
    "RateLimit": '"requests";r=99;t=1',
}
HEADROOM_BYTES = 600
"""The response with the largest inline image can be up to this many bytes smaller than the limit,
because the size of the image is computed for the longest possible headers."""


def response_bytes(result: CallResult[BlurredPhoto], request_id: str) -> int:
    """Return the size of the JSON that Lambda receives for an image, in bytes."""
    resolver = APIGatewayRestResolver()
    resolver.get("/")(lambda: response.image_response(result, request_id))
    return len(json.dumps(resolver.resolve(make.event("GET", "/"), None)))  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [5_000, 100_000, LAMBDA_BYTES])
def test_the_response_with_the_largest_inline_image_is_close_to_the_limit(limit: int) -> None:
    durations_ms = dict.fromkeys((*STEPS, TOTAL), 123.4)
    data = bytes(response.max_inline_bytes(limit))
    image = EncodedImage(data, "image/png")
    result = CallResult(BlurredPhoto(image, "ground"), STATUS, False, durations_ms)  # noqa: FBT003
    size = response_bytes(result, "req_00000000-0000-4000-8000-000000000000")
    assert limit - HEADROOM_BYTES < size <= limit


def test_a_limit_below_the_size_of_the_headers_allows_no_inline_image() -> None:
    assert response.max_inline_bytes(100) == 0


def test_the_largest_inline_image_and_the_longest_headers_fit_into_the_limit() -> None:
    many = 10**15
    most = Credits(whole(many) + 1)
    status = AccountStatus(most, most, RateLimitStatus(RateLimit(1, many), many, many))
    durations_ms = dict.fromkeys((*STEPS, TOTAL), float(many))
    left_over = []
    for limit in range(100_000, 100_004):  # the length of base64 is a multiple of four
        data = bytes(response.max_inline_bytes(limit))
        image = EncodedImage(data, "image/" + "x" * 20)
        output = BlurredPhoto(image, "x" * 20)
        result = CallResult(output, status, True, durations_ms)  # noqa: FBT003
        left_over.append(limit - response_bytes(result, "req_" + "x" * 100))
    assert sorted(left_over) == [0, 1, 2, 3]


def test_the_largest_inline_image_grows_by_3_bytes_for_each_4_bytes_of_the_limit() -> None:
    headers_bytes = next(limit for limit in range(5_000) if response.max_inline_bytes(limit))
    assert response.max_inline_bytes(headers_bytes) == 3
    assert response.max_inline_bytes(headers_bytes + 3) == 3
    assert response.max_inline_bytes(headers_bytes + 4) == 6


def blur_result(*, replayed: bool = False, link: Link | None = None) -> CallResult[BlurredPhoto]:
    photo = BlurredPhoto(EncodedImage(b"bytes", "image/webp"), "ground")
    return CallResult(photo, STATUS, replayed, {"total": 12.34}, link)


def test_an_image_is_returned_with_the_account_headers() -> None:
    sent = response.image_response(blur_result(), REQUEST_ID)
    assert (sent.status_code, sent.content_type) == (200, "image/webp")
    assert sent.body == b"bytes"
    assert sent.headers == {
        **COMMON,
        **ACCOUNT_HEADERS,
        "Content-Type": "image/webp",
        "Server-Timing": "total;dur=12.3",
        "X-Depth": "ground",
    }


def test_a_replayed_image_has_the_header_idempotent_replayed() -> None:
    sent = response.image_response(blur_result(replayed=True), REQUEST_ID)
    assert sent.headers["Idempotent-Replayed"] == "true"


def test_the_response_for_an_image_in_the_storage_is_a_redirect_to_its_link() -> None:
    link = Link("https://bucket.example/result", Instant(1_800_000_000_000_000))
    sent = response.image_response(blur_result(link=link), REQUEST_ID)
    assert (sent.status_code, sent.content_type) == (303, "application/json")
    assert json.loads(sent.body or "") == {
        "url": "https://bucket.example/result",
        "expires_at": "2027-01-15T08:00:00Z",
        "bytes": 5,
        "content_type": "image/webp",
    }
    assert sent.headers == {
        **COMMON,
        **ACCOUNT_HEADERS,
        **JSON,
        "Server-Timing": "total;dur=12.3",
        "X-Depth": "ground",
        "Location": "https://bucket.example/result",
    }


def test_a_json_response_has_account_headers_only_if_the_account_status_is_given() -> None:
    sent = response.json_response({"a": 1}, REQUEST_ID)
    assert (sent.status_code, sent.content_type, sent.body) == (
        200,
        "application/json",
        '{"a": 1}',
    )
    assert sent.headers == COMMON | JSON
    assert response.json_response({}, REQUEST_ID, STATUS).headers == COMMON | ACCOUNT_HEADERS | JSON


def test_an_error_has_the_documented_format_and_costs_nothing() -> None:
    sent = response.error_response(InvalidRadiusError("no"), REQUEST_ID)
    assert (sent.status_code, sent.content_type) == (400, "application/json")
    assert json.loads(sent.body or "") == {
        "error": {"code": "invalid_radius", "message": "no", "request_id": REQUEST_ID}
    }
    assert sent.headers == COMMON | JSON | {"X-Credits-Charged": "0"}


def test_an_error_with_an_account_status_has_the_account_headers_and_a_charge_of_0() -> None:
    failed = InternalError()
    failed.add_account_status(STATUS)
    assert response.error_response(
        failed, REQUEST_ID
    ).headers == COMMON | ACCOUNT_HEADERS | JSON | {"X-Credits-Charged": "0"}


def test_a_temporary_error_has_the_seconds_to_wait_in_body_and_header() -> None:
    sent = response.error_response(RateLimitError(7, STATUS), REQUEST_ID)
    assert sent.status_code == 429
    assert json.loads(sent.body or "")["error"]["retry_after"] == 7
    assert sent.headers["Retry-After"] == "7"


def test_the_error_for_a_wrong_method_lists_the_allowed_methods() -> None:
    failed = MethodNotAllowedError("no", allowed=("GET", "OPTIONS"))
    sent = response.error_response(failed, REQUEST_ID)
    assert (sent.status_code, sent.headers["Allow"]) == (405, "GET, OPTIONS")


def test_the_response_to_an_upload_has_status_204_and_no_body() -> None:
    sent = response.no_content(REQUEST_ID)
    assert (sent.status_code, sent.content_type, sent.body) == (204, None, "")
    assert sent.headers == COMMON


def test_a_preflight_response_is_valid_for_a_day() -> None:
    sent = response.preflight_response(("POST", "OPTIONS"), REQUEST_ID)
    assert (sent.status_code, sent.content_type, sent.body) == (204, None, "")
    assert sent.headers == {
        **COMMON,
        "Allow": "POST, OPTIONS",
        "Access-Control-Allow-Methods": "POST, OPTIONS",
        "Access-Control-Allow-Headers": "ApiKey, Content-Type, Idempotency-Key",
        "Access-Control-Max-Age": "86400",
    }


def test_an_error_can_be_converted_to_a_proxy_response_without_the_resolver() -> None:
    refused = response.error_response(InternalError(), REQUEST_ID)
    sent = response.proxy_response(refused)
    assert set(sent) == {"statusCode", "headers", "body"}
    assert (sent["statusCode"], sent["body"]) == (500, refused.body)
    assert sent["headers"] == COMMON | JSON | {"X-Credits-Charged": "0"}


def test_an_empty_response_has_no_content_type() -> None:
    assert response.proxy_response(response.no_content(REQUEST_ID))["headers"] == COMMON


@pytest.mark.parametrize("body", [b"", b"\x89PNG\r\n\x1a\n", bytes(range(256))])
def test_a_binary_body_is_sent_as_base64_with_the_base64_flag(body: bytes) -> None:
    sent = response.encode_body(Response(200, "image/png", body))
    assert (sent.body, sent.base64_encoded) == (base64.b64encode(body).decode(), True)


def test_a_text_body_is_sent_unchanged_and_without_the_base64_flag() -> None:
    sent = response.encode_body(Response(200, "text/plain", "t"))
    assert (sent.body, sent.base64_encoded) == ("t", False)

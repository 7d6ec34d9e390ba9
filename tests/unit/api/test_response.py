"""What answers are made of, and which results fit into a proxy response."""

from __future__ import annotations

import base64
import json

import pytest
from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from events import make

from blur.account_status import AccountStatus, RateLimit, RateLimitStatus
from blur.accounts.model import Instant
from blur.api import response
from blur.errors import (
    InternalError,
    InvalidRadiusError,
    MethodNotAllowedError,
    RateLimitError,
)
from blur.imaging.encode.encoder import EncodedImage
from blur.service import STEPS, BlurResult
from blur.storage.ports import Link
from blur.timing import TOTAL

LAMBDA_BYTES = 6_291_556
STANDING = AccountStatus(1, 999, RateLimitStatus(RateLimit(100, 100), 99, 1))
REQUEST_ID = "req_1"
COMMON = {
    "X-Request-Id": REQUEST_ID,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Access-Control-Allow-Origin": "*",
    "Timing-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "X-Request-Id, X-Credits-Charged, X-Credits-Remaining, RateLimit, RateLimit-Policy, "
        "Retry-After, Idempotent-Replayed, Server-Timing"
    ),
}
JSON = {"Content-Type": "application/json"}
STANDS = {
    "X-Credits-Charged": "1",
    "X-Credits-Remaining": "999",
    "RateLimit-Policy": '"requests";q=100;w=60',
    "RateLimit": '"requests";r=99;t=1',
}
HEADROOM_BYTES = 600
"""What an answer with headers shorter than the longest may fall short of the limit."""


def answered_bytes(made: BlurResult, request_id: str) -> int:
    """Return the bytes of JSON that Lambda is given for a picture."""
    resolver = APIGatewayRestResolver()
    resolver.get("/")(lambda: response.image_response(made, request_id))
    return len(json.dumps(resolver.resolve(make.event("GET", "/"), None)))  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [5_000, 100_000, LAMBDA_BYTES])
def test_the_largest_inline_image_is_close_to_the_limit(limit: int) -> None:
    durations_ms = dict.fromkeys((*STEPS, TOTAL), 123.4)
    data = bytes(response.max_inline_bytes(limit))
    made = BlurResult(EncodedImage(data, "image/png"), STANDING, False, durations_ms)  # noqa: FBT003
    answered = answered_bytes(made, "req_00000000-0000-4000-8000-000000000000")
    assert limit - HEADROOM_BYTES < answered <= limit


def test_a_limit_below_the_headers_allows_no_inline_image() -> None:
    assert response.max_inline_bytes(100) == 0


def test_the_largest_inline_image_fits_with_the_longest_headers() -> None:
    many = 10**15
    standing = AccountStatus(many, many, RateLimitStatus(RateLimit(1, many), many, many))
    durations_ms = dict.fromkeys((*STEPS, TOTAL), float(many))
    left_over = []
    for limit in range(100_000, 100_004):  # base64 grows by four characters at a time
        data = bytes(response.max_inline_bytes(limit))
        made = BlurResult(EncodedImage(data, "image/" + "x" * 20), standing, True, durations_ms)  # noqa: FBT003
        left_over.append(limit - answered_bytes(made, "req_" + "x" * 100))
    assert sorted(left_over) == [0, 1, 2, 3]


def test_a_limit_that_the_headers_fill_allows_no_inline_image() -> None:
    headers_bytes = next(limit for limit in range(5_000) if response.max_inline_bytes(limit))
    assert response.max_inline_bytes(headers_bytes) == 3
    assert response.max_inline_bytes(headers_bytes + 3) == 3
    assert response.max_inline_bytes(headers_bytes + 4) == 6


def picture(*, replayed: bool = False, link: Link | None = None) -> BlurResult:
    return BlurResult(
        EncodedImage(b"bytes", "image/webp"), STANDING, replayed, {"total": 12.34}, link
    )


def test_an_image_is_returned_with_the_account_headers() -> None:
    answer = response.image_response(picture(), REQUEST_ID)
    assert (answer.status_code, answer.content_type) == (200, "image/webp")
    assert answer.body == b"bytes"
    assert answer.headers == {
        **COMMON,
        **STANDS,
        "Content-Type": "image/webp",
        "Server-Timing": "total;dur=12.3",
    }


def test_a_replayed_image_has_its_header() -> None:
    answer = response.image_response(picture(replayed=True), REQUEST_ID)
    assert answer.headers["Idempotent-Replayed"] == "true"


def test_an_image_in_storage_is_a_redirect() -> None:
    link = Link("https://bucket.example/result", Instant(1_800_000_000_000_000))
    answer = response.image_response(picture(link=link), REQUEST_ID)
    assert (answer.status_code, answer.content_type) == (303, "application/json")
    assert json.loads(answer.body or "") == {
        "url": "https://bucket.example/result",
        "expires_at": "2027-01-15T08:00:00Z",
        "bytes": 5,
        "content_type": "image/webp",
    }
    assert answer.headers == {
        **COMMON,
        **STANDS,
        **JSON,
        "Server-Timing": "total;dur=12.3",
        "Location": "https://bucket.example/result",
    }


def test_a_document_is_json_with_account_headers_if_there_is_a_key() -> None:
    answer = response.json_response({"a": 1}, REQUEST_ID)
    assert (answer.status_code, answer.content_type, answer.body) == (
        200,
        "application/json",
        '{"a": 1}',
    )
    assert answer.headers == COMMON | JSON
    assert response.json_response({}, REQUEST_ID, STANDING).headers == COMMON | STANDS | JSON


def test_an_error_has_the_contracts_format_and_costs_nothing() -> None:
    answer = response.error_response(InvalidRadiusError("no"), REQUEST_ID)
    assert (answer.status_code, answer.content_type) == (400, "application/json")
    assert json.loads(answer.body or "") == {
        "error": {"code": "invalid_radius", "message": "no", "request_id": REQUEST_ID}
    }
    assert answer.headers == COMMON | JSON | {"X-Credits-Charged": "0"}


def test_an_error_with_account_status_has_its_headers_but_no_charge() -> None:
    failed = InternalError()
    failed.add_account_status(STANDING)
    assert response.error_response(failed, REQUEST_ID).headers == COMMON | STANDS | JSON | {
        "X-Credits-Charged": "0"
    }


def test_a_temporary_error_has_the_seconds_to_wait_in_body_and_header() -> None:
    answer = response.error_response(RateLimitError(7, STANDING), REQUEST_ID)
    assert answer.status_code == 429
    assert json.loads(answer.body or "")["error"]["retry_after"] == 7
    assert answer.headers["Retry-After"] == "7"


def test_a_wrong_method_gets_a_list_of_the_allowed_ones() -> None:
    failed = MethodNotAllowedError("no", allowed=("GET", "OPTIONS"))
    answer = response.error_response(failed, REQUEST_ID)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, OPTIONS")


def test_a_stored_upload_gets_no_content() -> None:
    answer = response.no_content(REQUEST_ID)
    assert (answer.status_code, answer.content_type, answer.body) == (204, None, "")
    assert answer.headers == COMMON


def test_a_preflight_is_valid_for_a_day() -> None:
    answer = response.preflight_response(("POST", "OPTIONS"), REQUEST_ID)
    assert (answer.status_code, answer.content_type, answer.body) == (204, None, "")
    assert answer.headers == {
        **COMMON,
        "Allow": "POST, OPTIONS",
        "Access-Control-Allow-Methods": "POST, OPTIONS",
        "Access-Control-Allow-Headers": "ApiKey, Content-Type, Idempotency-Key",
        "Access-Control-Max-Age": "86400",
    }


def test_a_response_without_the_resolver_is_the_same_proxy_response() -> None:
    refused = response.error_response(InternalError(), REQUEST_ID)
    told = response.proxy_response(refused)
    assert set(told) == {"statusCode", "headers", "body"}
    assert (told["statusCode"], told["body"]) == (500, refused.body)
    assert told["headers"] == COMMON | JSON | {"X-Credits-Charged": "0"}


def test_an_empty_response_has_no_content_type() -> None:
    assert response.proxy_response(response.no_content(REQUEST_ID))["headers"] == COMMON


@pytest.mark.parametrize("body", [b"", b"\x89PNG\r\n\x1a\n", bytes(range(256))])
def test_a_binary_body_is_sent_as_base64_with_the_flag(body: bytes) -> None:
    sent = response.encode_body(Response(200, "image/png", body))
    assert (sent.body, sent.base64_encoded) == (base64.b64encode(body).decode(), True)


def test_text_is_sent_unchanged() -> None:
    sent = response.encode_body(Response(200, "text/plain", "t"))
    assert (sent.body, sent.base64_encoded) == ("t", False)

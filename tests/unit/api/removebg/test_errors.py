"""Errors on remove.bg's paths: statuses, titles, codes and headers."""

from __future__ import annotations

import json

import pytest

import blur.app  # noqa: F401 - imports every module that defines an error
from blur.account_status import AccountStatus, RateLimit, RateLimitStatus
from blur.accounts.model import Instant
from blur.api import response
from blur.api.removebg.errors import ROWS, error_document, row_of
from blur.api.removebg.paths import PATHS
from blur.credits import ONE, ZERO, whole
from blur.errors import (
    ApiError,
    IdempotencyInProgressError,
    InsufficientCreditsError,
    InternalError,
    InvalidApiKeyError,
    MethodNotAllowedError,
    NoSubjectError,
    RateLimitError,
    TooManyPixelsError,
    UnsupportedImageError,
)
from blur.removal_errors import InvalidSizeError, RemovalError

NOW = Instant(1_800_000_000_500_000)
STATUS = AccountStatus(ZERO, whole(3), RateLimitStatus(RateLimit(60, 10), 4, 6))


def classes(error: type[ApiError]) -> set[type[ApiError]]:
    below = {each for child in error.__subclasses__() for each in classes(child)}
    return {each for each in {error, *below} if each.__module__.startswith("blur.")}


def test_the_table_of_errors_has_exactly_one_row_for_each_error_class() -> None:
    assert set(ROWS) == classes(ApiError)


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_each_error_has_a_status_a_title_and_a_code_and_only_an_invalid_key_gets_403(
    kind: type[ApiError],
) -> None:
    row = ROWS[kind]
    assert 400 <= row.status < 600
    assert row.status is not ROWS[InvalidApiKeyError].status or kind is InvalidApiKeyError
    assert row.title
    assert row.code.replace("_", "").isalnum()


def test_removal_errors_keep_status_and_code_but_result_too_large_becomes_file_too_large() -> None:
    own = {kind for kind in classes(RemovalError) if kind is not RemovalError}
    assert all(ROWS[kind].status == kind.status for kind in own)
    other = {(kind.code, ROWS[kind].code) for kind in own if ROWS[kind].code != kind.code}
    assert other == {("result_too_large", "file_too_large")}


@pytest.mark.parametrize(
    ("error", "status", "title", "code"),
    [
        (InvalidApiKeyError(), 403, "API Key invalid", "auth_failed"),
        (
            InsufficientCreditsError(ONE, STATUS),
            402,
            "Insufficient credits",
            "insufficient_credits",
        ),
        (RateLimitError(7, STATUS), 429, "Rate limit exceeded", "rate_limit_exceeded"),
        (
            IdempotencyInProgressError("running", retry_after_s=2),
            429,
            "First call still running",
            "idempotency_in_progress",
        ),
        (
            NoSubjectError("none"),
            400,
            "Could not identify foreground in image",
            "unknown_foreground",
        ),
        (TooManyPixelsError("many"), 400, "Image resolution too high", "resolution_too_high"),
        (UnsupportedImageError("a PDF"), 400, "Invalid file type", "invalid_file_type"),
        (InvalidSizeError("x"), 400, "Invalid size", "invalid_size"),
        (InternalError(), 500, "Internal error", "internal_error"),
    ],
)
def test_an_error_has_the_status_the_title_and_the_code_of_remove_bg(
    error: ApiError, status: int, title: str, code: str
) -> None:
    for path in PATHS:
        for slash in ("", "/"):
            sent = response.error_response(error, "req_1", path=path + slash, now_us=NOW)
            assert (sent.status_code, sent.content_type) == (status, "application/json")
            (entry,) = json.loads(sent.body or "")["errors"]
            assert (entry["title"], entry["code"]) == (title, code)
            assert all(isinstance(value, str) for value in entry.values())
            assert sent.headers["X-Credits-Charged"] == "0"
            assert sent.headers["X-Request-Id"] == "req_1"


def test_the_error_for_an_invalid_key_has_exactly_remove_bgs_body() -> None:
    expected = {"errors": [{"title": "API Key invalid", "code": "auth_failed"}]}
    assert error_document(InvalidApiKeyError()) == expected


def test_the_rate_limit_is_in_remove_bgs_headers_and_retry_after_has_whole_seconds() -> None:
    sent = response.error_response(
        RateLimitError(7, STATUS), "req_1", path="/v1.0/removebg", now_us=NOW
    )
    assert sent.headers["Retry-After"] == "7"
    assert sent.headers["X-RateLimit-Limit"] == "10"
    assert sent.headers["X-RateLimit-Remaining"] == "4"
    assert sent.headers["X-RateLimit-Reset"] == "1800000007"


def test_the_error_for_a_wrong_method_is_in_remove_bgs_format_and_lists_the_methods() -> None:
    error = MethodNotAllowedError("no", allowed=("POST", "OPTIONS"))
    sent = response.error_response(error, "req_1", path="/v1.0/removebg", now_us=NOW)
    assert (sent.status_code, sent.headers["Allow"]) == (405, "POST, OPTIONS")
    assert json.loads(sent.body or "")["errors"][0]["code"] == "method_not_allowed"


def test_errors_outside_of_remove_bgs_paths_have_our_format() -> None:
    for path in ("", "/", "/v1.0", "/v1.01/removebg", "/v2/account"):
        sent = response.error_response(InternalError(), "req_1", path=path, now_us=NOW)
        assert set(json.loads(sent.body or "")) == {"error"}
        assert "X-RateLimit-Limit" not in sent.headers


def test_an_error_class_without_a_row_in_the_table_uses_the_row_of_its_base_class() -> None:
    class UnknownError(InvalidSizeError):
        """An error that is not in the table."""

    assert row_of(UnknownError("x")) is ROWS[InvalidSizeError]

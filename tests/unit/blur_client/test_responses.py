from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from requests.utils import get_encoding_from_headers

import blur.errors
from blur.removal_errors import RemovalError
from blur_client import ApiError
from blur_client.errors import ERRORS, ResponseLostError, UnexpectedResponseError
from blur_client.responses import parse_blur_result, parse_error, parse_server_timing
from blur_client.retry_policy import RetryPolicy, is_retryable


def make_response(status: int, body: bytes, **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code, response.url, response._content = status, "http://api/v2?secret=1", body  # noqa: SLF001
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    response.encoding = get_encoding_from_headers(response.headers)
    return response


def make_error(code: str, status: int = 400, **more: Any) -> ApiError:  # noqa: ANN401 - any JSON value
    document = {"error": {"code": code, "message": "No.", "request_id": "req_1", **more}}
    content = json.dumps(document).encode()
    return parse_error(make_response(status, content, X_Credits_Charged="0"))


def test_a_result_has_its_cost_and_the_time_of_each_step() -> None:
    response = make_response(
        200,
        b"picture",
        Content_Type="image/png",
        X_Request_Id="req_7",
        X_Credits_Charged="1",
        X_Credits_Remaining="41",
        Server_Timing="decode;dur=12.5, matte;dur=300",
        Idempotent_Replayed="true",
    )
    result = parse_blur_result(response, response)
    assert (result.data, result.content_type, result.request_id) == (
        b"picture",
        "image/png",
        "req_7",
    )
    assert (result.credits_charged, result.credits_left, result.replayed) == (1, 41, True)
    assert result.timing_ms == {"decode": 12.5, "matte": 300.0}
    assert "picture" not in repr(result)


@pytest.mark.parametrize(
    ("header", "number"), [("3", 3), ("0.25", 0.25), ("40.75", 40.75), ("", None), ("free", None)]
)
def test_credits_are_integers_if_they_are_whole(header: str, number: float | None) -> None:
    response = make_response(200, b"picture", X_Credits_Charged=header, X_Credits_Remaining=header)
    result = parse_blur_result(response, response)
    assert result.credits_charged == result.credits_left == number
    assert isinstance(result.credits_left, int) == ("." not in header and number is not None)


def test_if_a_response_has_no_headers_the_fields_of_the_result_are_none_or_empty() -> None:
    response = make_response(200, b"picture")
    result = parse_blur_result(response, response)
    assert (result.credits_charged, result.request_id, result.timing_ms) == (None, None, {})


@pytest.mark.parametrize(
    ("header", "timing"),
    [
        ('total;desc="all of it";dur=3', {"total": 3.0}),
        ("cache;desc=hit, db;dur=1.5", {"db": 1.5}),
        ("", {}),
        ("nonsense", {}),
        ("a;dur=1.2.3, b;dur=., c;dur=4.5", {"c": 4.5}),
    ],
)
def test_server_timing_entries_without_a_duration_are_ignored(
    header: str, timing: dict[str, float]
) -> None:
    assert parse_server_timing(header) == timing


@pytest.mark.parametrize("code", ERRORS)
def test_each_error_code_has_a_class_whose_objects_have_all_fields(code: str) -> None:
    error = make_error(code, 429, retry_after=7)
    assert type(error) is ERRORS[code]
    assert (error.code, error.message, str(error), error.status) == (code, "No.", "No.", 429)
    assert (error.request_id, error.retry_after_s) == ("req_1", 7)


def test_an_unknown_error_code_becomes_a_plain_api_error() -> None:
    error = make_error("invalid_weather")
    assert type(error) is ApiError
    assert error.code == "invalid_weather"


@pytest.mark.parametrize("body", [b"<h1>nginx</h1>", b"[]", b'{"error": "no"}', b'{"error": {}}'])
def test_the_error_for_an_unexpected_response_names_the_url_but_no_secrets(
    body: bytes,
) -> None:
    error = parse_error(make_response(502, body, Content_Type="text/html; charset=utf-8"))
    assert isinstance(error, UnexpectedResponseError)
    assert str(error) == "http://api/v2 responded with 502: text/html"


def test_the_error_for_a_404_of_another_server_contains_advice() -> None:
    error = parse_error(make_response(404, b"{}", Content_Type="application/json"))
    assert str(error).endswith("responded with 404: application/json. Check the address of the API")


@pytest.mark.parametrize("wait", ["9" * 5000, "-5", "soon", "1e3", "٣"])
def test_an_invalid_time_to_wait_is_ignored(wait: str) -> None:
    body = b'{"error": {"code": "overloaded", "message": "No.", "retry_after": -5}}'
    error = parse_error(make_response(503, body, Retry_After=wait))
    assert error.retry_after_s is None


@pytest.mark.parametrize("charset", ["idna", "undefined", "punycode", "utf\x00-8", "unknown"])
def test_an_error_with_an_invalid_or_unknown_charset_is_read(charset: str) -> None:
    kind = f"text/plain; charset={charset}"
    text = parse_error(make_response(502, b"bad \xff gateway", Content_Type=kind))
    assert "responded with 502: bad" in str(text)
    body = '{"error": {"code": "no_subject", "message": "Kein Motiv: ü"}}'.encode()
    assert parse_error(make_response(422, body, Content_Type=kind)).message == "Kein Motiv: ü"


def test_an_empty_result_is_an_error() -> None:
    response = make_response(200, b"", Content_Type="image/png")
    with pytest.raises(UnexpectedResponseError, match="responded with 200: an empty response"):
        parse_blur_result(response, response)


def test_a_redirect_is_an_error_that_names_its_target() -> None:
    error = parse_error(make_response(301, b"", Location="https://api/v2"))
    assert "a redirect to https://api/v2" in str(error)


def test_an_internal_error_after_which_the_call_can_be_charged_is_retryable() -> None:
    body = b'{"error": {"code": "internal_error", "message": "Lost."}}'
    lost = parse_error(make_response(500, body))
    assert (type(lost), lost.code) == (ResponseLostError, "internal_error")
    assert is_retryable(lost)
    waits = [RetryPolicy().wait_s(lost, attempt, 0.0) for attempt in range(3)]
    assert waits == [0.25, 0.5, None]


def test_only_temporary_errors_are_retryable() -> None:
    retryable = [make_error("rate_limit_exceeded", 429), make_error("temporarily_unavailable", 503)]
    retryable += [
        make_error("idempotency_in_progress", 409),
        parse_error(make_response(500, b"<Error/>")),
    ]
    permanent = [make_error("idempotency_conflict", 409), make_error("internal_error", 500)]
    permanent += [make_error("insufficient_credits", 402), make_error("no_subject", 422)]
    assert [is_retryable(error) for error in retryable + permanent] == [True] * 4 + [False] * 4


def test_the_wait_doubles_and_is_never_shorter_than_retry_after() -> None:
    policy = RetryPolicy(retries=3, first_wait_s=1)
    unavailable = make_error("temporarily_unavailable", 503)
    assert [policy.wait_s(unavailable, attempt, 1.0) for attempt in range(4)] == [1, 2, 4, None]
    limited = make_error("rate_limit_exceeded", 429, retry_after=9)
    assert policy.wait_s(limited, 0, 0.0) == 9.5


def test_the_client_gives_up_if_retry_after_is_longer_than_the_policy_allows() -> None:
    limited = make_error("rate_limit_exceeded", 429, retry_after=61)
    assert RetryPolicy(max_wait_s=60).wait_s(limited, 0, 0.5) is None


def service_errors() -> dict[str, type[blur.errors.ApiError]]:
    classes = [blur.errors.ApiError]
    for kind in classes:
        classes += [child for child in kind.__subclasses__() if child is not RemovalError]
    return {kind.code: kind for kind in classes if "code" in vars(kind)}


def test_each_error_class_of_the_service_has_a_class_of_the_same_name_in_the_client() -> None:
    names = {code: kind.__name__ for code, kind in service_errors().items()}
    assert names
    assert {code: ERRORS[code].__name__ for code in names} == names


def test_the_error_classes_are_different_subclasses_of_api_error() -> None:
    assert all(issubclass(kind, ApiError) for kind in ERRORS.values())
    assert len(set(ERRORS.values())) == len(ERRORS)

"""Proxy events are read as HTTP requests."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blur.api.request import HttpRequest, from_event
from blur.errors import InvalidRequestError


@given(st.binary())
def test_a_form_is_decoded_from_latin_1_and_from_base64_with_or_without_the_base64_flag(
    content: bytes,
) -> None:
    body = b"--boundary\r\n" + content
    encoded = base64.b64encode(body).decode()
    carried = [
        {"body": encoded, "isBase64Encoded": True},
        {"body": encoded, "isBase64Encoded": False},
        {"body": body.decode("latin-1"), "isBase64Encoded": False},
    ]
    assert [from_event(event).body() for event in carried] == [body] * 3


def test_text_with_characters_outside_of_latin_1_is_encoded_as_utf_8() -> None:
    assert from_event({"body": "-- \u20ac"}).body() == "-- \u20ac".encode()


def test_a_missing_body_is_empty() -> None:
    assert from_event({"body": None, "isBase64Encoded": True}).body() == b""


def test_a_body_with_the_base64_flag_that_is_not_base64_is_rejected() -> None:
    with pytest.raises(InvalidRequestError):
        from_event({"body": "\u20ac", "isBase64Encoded": True}).body()


def test_the_last_value_of_a_repeated_header_is_used() -> None:
    event = {"multiValueHeaders": {"Accept": ["first", "last"], "Empty": []}}
    assert from_event(event).headers == {"accept": "last"}
    assert from_event(event).repeated_headers == ()


@pytest.mark.parametrize(
    "event",
    [
        {"multiValueHeaders": {"ApiKey": ["a", "a"]}, "headers": {"ApiKey": "a"}},
        {"multiValueHeaders": {"ApiKey": ["a"], "APIKEY": ["b"]}, "headers": {"ApiKey": "a"}},
        {"multiValueHeaders": None, "headers": {"ApiKey": "a", "apikey": "b"}},
    ],
)
def test_an_api_key_header_that_occurs_twice_is_reported(event: dict[str, object]) -> None:
    assert from_event(event).repeated_headers == ("ApiKey",)


@pytest.mark.parametrize("bad", [None, 7, "", "a b", "\r\nX-Evil: 1", "x" * 101])
def test_a_request_id_of_a_wrong_format_is_replaced_by_a_random_one(bad: object) -> None:
    request_id = from_event({"requestContext": {"requestId": bad}}).request_id
    assert request_id.startswith("req_")
    assert len(request_id) == len("req_") + 36


@given(st.dictionaries(st.sampled_from(["httpMethod", "path", "headers", "body"]), st.none()))
def test_absent_and_null_parts_of_an_event_get_default_values(event: dict[str, None]) -> None:
    request = from_event(event)
    assert (request.method, request.path, request.headers) == ("", "/", {})


def test_all_parts_of_a_proxy_event_are_read() -> None:
    event = {
        "httpMethod": "post",
        "path": "/v2/rembg/blur/",
        "headers": {"ApiKey": "key"},
        "multiValueHeaders": {"ApiKey": ["many"], "Accept": ["image/png"]},
        "body": "text",
        "isBase64Encoded": True,
        "requestContext": {"requestId": "0-a", "path": "/prod/v2/rembg/blur/"},
    }
    assert from_event(event, left_ms=7) == HttpRequest(
        method="POST",
        path="/v2/rembg/blur/",
        headers={"apikey": "key", "accept": "image/png"},
        request_id="req_0-a",
        raw_body="text",
        is_base64=True,
        left_ms=7,
        public_path="/prod/v2/rembg/blur/",
    )


def test_the_request_of_an_empty_event_has_default_values_and_a_time_limit_of_900_seconds() -> None:
    request = from_event({})
    assert (request.method, request.path, request.public_path) == ("", "/", "/")
    assert (request.raw_body, request.is_base64, request.left_ms) == ("", False, 900_000)


def test_without_a_stage_the_public_path_equals_the_path() -> None:
    assert from_event({"path": "/docs", "requestContext": {}}).public_path == "/docs"
    assert from_event({"path": "/docs", "requestContext": None}).public_path == "/docs"


@pytest.mark.parametrize("good", ["a", "x" * 100, "0f-A9"])
def test_the_request_id_contains_the_gateways_id(good: str) -> None:
    assert from_event({"requestContext": {"requestId": good}}).request_id == f"req_{good}"


@pytest.mark.parametrize(
    "text",
    ["LS0t\nLS0t", "LS0tLS0t\n", "LS0", "LS0t====", "LS==LS==", "LS0-", "LS0\u00e9", "\ud800"],
)
def test_a_body_with_the_base64_flag_and_almost_valid_base64_is_rejected(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="not valid base64"):
        from_event({"body": text, "isBase64Encoded": True}).body()


@pytest.mark.parametrize("text", ["LS0", "LS1a", "LS2a", "LS3a"])
def test_a_body_that_starts_with_the_base64_of_two_hyphens_is_decoded(text: str) -> None:
    padded = text + "=" * (-len(text) % 4)
    assert from_event({"body": padded}).body() == base64.b64decode(padded)


def test_a_body_that_does_not_start_with_the_base64_of_two_hyphens_is_encoded_as_latin_1() -> None:
    assert from_event({"body": "LS4a"}).body() == b"LS4a"
    assert from_event({"body": "x LS0t"}).body() == b"x LS0t"
    assert from_event({"body": "\xff"}).body() == b"\xff"


def test_a_surrogate_in_a_body_is_encoded_and_not_rejected() -> None:
    assert from_event({"body": "-- \u20ac\ud800"}).body() == b"-- \xe2\x82\xac\xed\xa0\x80"


def test_control_characters_in_a_path_are_percent_encoded() -> None:
    path = "/a\nb\x00c\x1fd\x7fe f"
    assert from_event({"path": path}).path == "/a%0Ab%00c%1Fd%7Fe f"


def test_the_last_value_of_a_repeated_query_parameter_is_used() -> None:
    many = {"after": ["a", "b"], "limit": ["5"], "none": []}
    assert from_event({"multiValueQueryStringParameters": many}).query == {
        "after": "b",
        "limit": "5",
    }
    one = {"queryStringParameters": {"after": "c", "null": None}}
    assert from_event(one).query == {"after": "c"}
    assert from_event({"queryStringParameters": None}).query == {}


def test_an_urlencoded_form_whose_first_field_looks_like_base64_is_not_decoded() -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert from_event({"body": "LS0=1&size=auto", "headers": headers}).body() == b"LS0=1&size=auto"

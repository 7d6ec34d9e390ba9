"""Proxy events as requests."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blur.api.request import from_event
from blur.errors import InvalidRequestError


@given(st.binary())
def test_a_form_is_read_the_same_however_its_bytes_are_carried(content: bytes) -> None:
    body = b"--boundary\r\n" + content
    encoded = base64.b64encode(body).decode()
    carried = [
        {"body": encoded, "isBase64Encoded": True},
        {"body": encoded, "isBase64Encoded": False},
        {"body": body.decode("latin-1"), "isBase64Encoded": False},
    ]
    assert [from_event(event).body() for event in carried] == [body] * 3


def test_text_beyond_latin_1_is_read_as_utf_8() -> None:
    assert from_event({"body": "-- \u20ac"}).body() == "-- \u20ac".encode()


def test_no_body_is_an_empty_one() -> None:
    assert from_event({"body": None, "isBase64Encoded": True}).body() == b""


def test_a_false_claim_of_base64_is_refused() -> None:
    with pytest.raises(InvalidRequestError):
        from_event({"body": "\u20ac", "isBase64Encoded": True}).body()


def test_of_a_repeated_header_the_last_counts() -> None:
    event = {"multiValueHeaders": {"ApiKey": ["first", "last"], "Empty": []}}
    assert from_event(event).headers == {"apikey": "last"}


@pytest.mark.parametrize("bad", [None, 7, "", "a b", "\r\nX-Evil: 1", "x" * 101])
def test_an_id_that_is_not_the_gateways_kind_is_replaced(bad: object) -> None:
    request_id = from_event({"requestContext": {"requestId": bad}}).request_id
    assert request_id.startswith("req_")
    assert len(request_id) == len("req_") + 36


@given(st.dictionaries(st.sampled_from(["httpMethod", "path", "headers", "body"]), st.none()))
def test_missing_parts_are_taken_as_empty(event: dict[str, None]) -> None:
    request = from_event(event)
    assert (request.method, request.path, request.headers) == ("", "/", {})

"""Convert HTTP requests to API Gateway events, and proxy responses to HTTP replies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from events import make

from bgblur.serving.proxy_events import (
    InvocationContext,
    RecordedHandler,
    Reply,
    to_event,
    to_reply,
    to_request,
)
from blur.api.request import from_event
from blur.api.response_record import ResponseRecord

if TYPE_CHECKING:
    from blur.api.response_record import Observe
    from blur.api.router import Router


def scope(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any part of an ASGI scope
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/v2/rembg/blur/",
        "query_string": b"a=1&a=2&b=",
        "headers": [(b"apikey", b"k\xe9y"), (b"accept", b"x"), (b"accept", b"y")],
        "client": ("127.0.0.1", 5000),
        **changes,
    }


def test_an_event_has_the_fields_of_an_api_gateway_event() -> None:
    event = to_event(to_request(scope(), b"body", request_id="id"))
    real = make.event("POST", "/v2/rembg/blur/")
    assert event.keys() == real.keys()
    assert event["requestContext"].keys() == real["requestContext"].keys()
    json.dumps(event)


def test_the_event_has_the_whole_request() -> None:
    body = bytes(range(256))
    request = from_event(to_event(to_request(scope(), body, request_id="an-id")))
    assert (request.method, request.path) == ("POST", "/v2/rembg/blur/")
    assert request.headers == {"apikey": "k\xe9y", "accept": "y"}
    assert request.request_id == "req_an-id"
    assert request.body() == body


def test_a_missing_body_becomes_null_and_a_missing_client_becomes_an_empty_address() -> None:
    event = to_event(to_request(scope(client=None, query_string=b""), b"", request_id="id"))
    assert (event["body"], event["isBase64Encoded"]) == (None, False)
    assert event["queryStringParameters"] is None
    assert event["requestContext"]["identity"]["sourceIp"] == ""


def test_a_responses_body_is_decoded_and_its_headers_are_combined() -> None:
    status, headers, body, _ = to_reply(
        {
            "statusCode": 200,
            "headers": {"X-One": "1"},
            "multiValueHeaders": {"X-Many": ["a", "b"]},
            "body": "AAH/",
            "isBase64Encoded": True,
        }
    )
    assert (status, body) == (200, b"\x00\x01\xff")
    assert headers == [
        (b"x-one", b"1"),
        (b"x-many", b"a"),
        (b"x-many", b"b"),
        (b"content-length", b"3"),
    ]


def test_a_text_body_is_sent_as_utf_8() -> None:
    _, headers, body, _ = to_reply({"statusCode": 404, "body": "\u20ac"})
    assert body == "\u20ac".encode()
    assert headers == [(b"content-length", b"3")]


def test_the_repr_of_a_request_or_reply_has_no_key_and_no_image() -> None:
    request = to_request(scope(), b"a picture", request_id="id")
    assert repr(request) == "<POST /v2/rembg/blur/, 9 bytes>"
    assert repr(Reply(303, [(b"location", b"a link")], b"a picture")) == "<303, 9 bytes>"


def test_a_reply_never_has_the_response_record_of_another_request() -> None:
    class Handler:
        """A handler that reports a response record only for the request with the id `first`."""

        routes = ()

        def __init__(self, observe: Observe) -> None:
            self.observe = observe

        def __call__(self, event: dict[str, Any], _: InvocationContext) -> dict[str, Any]:
            if event["requestContext"]["requestId"] == "first":
                record = ResponseRecord(
                    request_id="first", method="GET", path="/", status=200, duration_ms=1
                )
                self.observe(record)
            return {"statusCode": 200}

    handler = RecordedHandler(lambda observe: cast("Router", Handler(observe)))
    replies = [
        handler(to_request(scope(), b"", request_id=request_id), InvocationContext())
        for request_id in ("before", "first", "second")
    ]
    records = [reply.record for reply in replies]
    assert [record and record.request_id for record in records] == [None, "first", None]

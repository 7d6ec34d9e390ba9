"""Requests that are not among the events in `events/`, and their responses."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import pytest
from events import make
from PIL import Image

from blur.service import STEPS

from .conftest import FUNDS, balance_of

if TYPE_CHECKING:
    from tests.clocks import Clock

    from blur.accounts.sqlite.account_store import SqliteAccountStore

    from .conftest import Call


def raw_form(*parts: tuple[str, bytes], end: bytes = b"--X--\r\n") -> bytes:
    body = b"".join(
        b'--X\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (name.encode(), value)
        for name, value in parts
    )
    return body + end


def raw_event(body: bytes, content_type: str = "multipart/form-data; boundary=X") -> dict[str, Any]:
    event = make.event("POST", "/v2/rembg/blur/", key=make.FUNDED)
    event["headers"]["Content-Type"] = content_type
    event["body"], event["isBase64Encoded"] = base64.b64encode(body).decode(), True
    return event


def test_blur_path_without_a_slash_at_the_end_is_found(call: Call) -> None:
    assert call({**make.blur(), "path": "/v2/rembg/blur"}).status == 200


def test_header_names_in_upper_case_are_accepted(call: Call) -> None:
    event = make.blur()
    event["headers"] = {name.upper(): value for name, value in event["headers"].items()}
    event["multiValueHeaders"] = None
    assert call(event).status == 200


def test_event_that_has_only_multi_value_headers_is_accepted(call: Call) -> None:
    assert call({**make.blur(), "headers": None}).status == 200


def test_body_without_the_base64_flag_can_be_plain_or_base64(call: Call) -> None:
    event = make.blur()
    body = base64.b64decode(event["body"])
    assert call({**event, "body": body.decode("latin-1"), "isBase64Encoded": False}).status == 200
    assert call({**event, "isBase64Encoded": False}).status == 200


def test_body_that_is_not_base64_but_has_the_base64_flag_is_an_invalid_request(call: Call) -> None:
    response = call({**make.blur(), "body": "%%%", "isBase64Encoded": True})
    assert response.error["code"] == "invalid_request"


def test_each_event_without_a_request_id_gets_a_new_request_id(call: Call) -> None:
    event = make.event("GET", "/health")
    event["requestContext"] = {}
    first, second = call(event), call(event)
    assert first.headers["x-request-id"].startswith("req_")
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


@pytest.mark.parametrize("radius", ["0", "1", "50", " 7 ", "007"])
def test_whole_radius_from_0_to_50_is_accepted(radius: str, call: Call) -> None:
    assert call(make.blur(radius=radius)).status == 200


@pytest.mark.parametrize(
    "radius", ["", "-1", "51", "1.5", "1e1", "0x10", "ten", "\u0663", "9" * 5000, "1 2"]
)
def test_error_for_an_invalid_radius_names_the_allowed_range(radius: str, call: Call) -> None:
    response = call(make.blur(radius=radius))
    assert (response.status, response.error["code"]) == (400, "invalid_radius")
    assert "0 to 50" in response.error["message"]


def test_error_for_a_form_without_radius_contains_the_word_missing(call: Call) -> None:
    response = call(raw_event(raw_form(("image", make.jpeg()))))
    assert response.error["code"] == "invalid_radius"
    assert "missing" in response.error["message"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (raw_form(("radius", b"5")), "no file named 'image'"),
        (raw_form(("image", b"a"), ("image", b"b"), ("radius", b"5")), "2 files"),
        (raw_form(("image", b"a"), ("radius", b"5"), end=b""), "malformed"),
        (raw_form(("image", b"a"))[:-9], "malformed"),
        (b"", "malformed"),
        (b"radius=5", "malformed"),
        (raw_form(*[("more", b"")] * 50), "too many parts"),
    ],
)
def test_the_error_for_an_invalid_form_contains_the_reason(
    body: bytes, message: str, call: Call
) -> None:
    response = call(raw_event(body))
    assert (response.status, response.error["code"]) == (400, "invalid_request")
    assert message in response.error["message"]


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "multipart/form-data", "multipart/form-data; boundary=", "x;;=\x00"],
)
def test_a_body_that_is_not_a_form_is_an_invalid_request(content_type: str, call: Call) -> None:
    response = call(raw_event(raw_form(("image", b"a"), ("radius", b"5")), content_type))
    assert (response.status, response.error["code"]) == (400, "invalid_request")


def test_a_repeated_field_is_rejected(call: Call) -> None:
    parts = (("image", make.jpeg()), ("radius", b"5"), ("radius", b"6"))
    response = call(raw_event(raw_form(*parts)))
    assert response.error["code"] == "invalid_radius"
    assert "2 times" in response.error["message"]


def test_unknown_fields_are_ignored(call: Call) -> None:
    assert call(make.blur(purpose="portrait")).status == 200


def test_empty_file_is_an_invalid_image(call: Call) -> None:
    response = call(raw_event(raw_form(("image", b""), ("radius", b"5"))))
    assert response.error["code"] == "invalid_image"


def test_call_with_an_unknown_key_and_an_invalid_form_gets_401(
    call: Call,
) -> None:
    event = {**make.blur(make.UNKNOWN), "body": None, "isBase64Encoded": False}
    assert call(event).status == 401


@pytest.mark.parametrize(
    ("key", "status"),
    [(make.UNKNOWN, 401), (make.LIMITED, 429), (make.EMPTY, 402), (make.FUNDED, 400)],
)
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "order-1"}, {"Idempotency-Key": ""}])
def test_form_is_checked_after_the_key_the_rate_limit_and_the_credits(
    key: str, status: int, headers: dict[str, str], call: Call
) -> None:
    event = {**make.blur(key), "body": None, "isBase64Encoded": False}
    event["headers"] |= headers
    response = call(event)
    assert response.status == status
    assert response.headers["x-credits-charged"] == "0"
    assert status != 400 or response.headers["x-credits-remaining"] == str(FUNDS)


def test_calls_without_credits_count_towards_the_rate_limit(call: Call) -> None:
    responses = [call(make.blur(make.EMPTY)) for _ in range(3)]
    assert [response.status for response in responses] == [402] * 3
    left = [response.headers["ratelimit"].split(";")[1] for response in responses]
    assert left == ["r=9999", "r=9998", "r=9997"]


def test_a_content_length_above_the_limit_gets_413_even_if_the_body_is_empty(call: Call) -> None:
    event = make.blur()
    event["headers"]["Content-Length"] = "20000001"
    response = call({**event, "body": None, "isBase64Encoded": False})
    assert (response.status, response.error["code"]) == (413, "image_too_large")
    assert "20000000" in response.error["message"]


def test_a_body_above_the_limit_gets_413(call: Call) -> None:
    response = call(raw_event(raw_form(("image", bytes(20_000_000)), ("radius", b"5"))))
    assert (response.status, response.error["code"]) == (413, "image_too_large")


def test_response_to_an_invalid_radius_has_the_balance_and_the_rate_limit_of_the_key(
    call: Call,
) -> None:
    response = call(make.blur(radius="51"))
    assert response.headers["x-credits-remaining"] == str(FUNDS)
    assert response.headers["ratelimit"].startswith('"requests";r=9999;')
    assert response.headers["ratelimit-policy"] == '"requests";q=10000;w=10'


def test_response_to_an_unknown_key_has_no_balance_and_no_rate_limit(call: Call) -> None:
    response = call(make.blur(make.UNKNOWN))
    assert "x-credits-remaining" not in response.headers
    assert "ratelimit" not in response.headers


def test_revoked_malformed_and_unknown_keys_get_the_same_response(
    call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    unknown = call(make.blur(make.UNKNOWN))
    key = store.read_account(make.FUNDED.split("_")[2], now_us=clock()).keys[0]
    store.revoke_key(key.account_id, key.digest)
    revoked = call(make.blur(make.FUNDED))
    malformed = call(make.blur("nonsense"))
    assert revoked.raw == unknown.raw == malformed.raw
    assert unknown.status == 401


def test_calls_succeed_until_the_balance_is_zero(
    call: Call, store: SqliteAccountStore, clock: Clock
) -> None:
    for _ in range(FUNDS):
        assert call(make.blur()).status == 200
    assert call(make.blur()).error["code"] == "insufficient_credits"
    assert balance_of(store, make.FUNDED, clock) == (0, 0)


@pytest.mark.parametrize(
    ("accept", "fields", "content_type"),
    [
        ("image/webp", {}, "image/webp"),
        ("image/avif;q=0.5, image/jpeg;q=0.9", {}, "image/jpeg"),
        ("image/webp", {"format": "png"}, "image/png"),
        ("application/json", {}, "image/png"),
        ("*/*", {}, "image/png"),
    ],
)
def test_the_format_is_taken_from_the_field_then_from_the_accept_header_and_is_png_by_default(
    accept: str, fields: dict[str, str], content_type: str, call: Call
) -> None:
    event = make.blur(make.FUNDED, None, **fields)
    event["headers"]["Accept"], event["multiValueHeaders"] = accept, None
    response = call(event)
    assert response.headers["content-type"] == content_type
    assert Image.open(io.BytesIO(response.body)).size == (192, 192)


def test_response_with_an_image_has_the_time_of_each_step(call: Call) -> None:
    timing = call(make.blur()).headers["server-timing"]
    steps = dict(item.split(";dur=") for item in timing.split(", "))
    assert list(steps) == [*STEPS, "total"]
    *parts, total = (float(duration) for duration in steps.values())
    assert 0 < sum(parts) <= total + 0.5


def test_a_cutout_as_jpeg_has_a_white_background(call: Call) -> None:
    picture = Image.open(io.BytesIO(call(make.blur(mode="cutout", format="jpeg")).body))
    assert picture.mode == "RGB"
    assert min(picture.tobytes()[:3]) > 240  # the first pixel

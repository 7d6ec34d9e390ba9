"""Parse a request to `/v1.0/removebg` into a `RemovalCall`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blur.api.removebg.removal_request import Limits, RemovalCall, parse_removal_request
from blur.api.request import HttpRequest
from blur.errors import ImageTooLargeError, InvalidIdempotencyKeyError, InvalidRequestError
from blur.image_requests import RemovalRequest
from blur.imaging.removal.options import RemovalOptions

URL = "https://example.com/photo.jpg"
LIMITS = Limits(max_body_bytes=1_000, max_image_bytes=77, fetch=str.encode)


def parse(
    limits: Limits = LIMITS,
    headers: dict[str, str] | None = None,
    **fields: Any,  # noqa: ANN401 - any JSON value
) -> RemovalCall:
    body = json.dumps({"image_url": URL, **fields})
    sent = {"content-type": "application/json", **(headers or {})}
    request = HttpRequest("POST", "/", sent, "req_1", body, False, 1, "/")  # noqa: FBT003
    return parse_removal_request(request, limits)


def test_a_loaded_form_has_both_images_and_the_options_including_the_megapixel_limit() -> None:
    call = parse(bg_image_url=f"{URL}?b", size="hd", format="zip", crop=True)
    request = call.form.load()
    assert isinstance(request, RemovalRequest)
    assert (request.image, request.options.background) == (URL.encode(), f"{URL}?b".encode())
    assert (request.options.max_megapixels, request.options.output) == (4, "zip")
    assert request.options.crop
    assert request.max_bytes == 77


def test_a_request_without_parameters_is_a_preview_with_the_default_options() -> None:
    call = parse(Limits(max_body_bytes=1_000, fetch=str.encode))
    assert call.form.is_preview
    assert call.form.options == RemovalOptions()
    assert call.form.max_bytes is None
    assert (call.sends_json, call.form.has_type) == (False, True)


def test_a_request_with_size_medium_is_not_a_preview() -> None:
    assert not parse(size="medium").form.is_preview


def test_the_accept_header_selects_json_and_the_accepted_image_types() -> None:
    assert parse(headers={"accept": "application/json"}).sends_json
    accepts = parse(headers={"accept": "image/webp"}).form.accepts
    assert accepts("image/webp")
    assert not accepts("application/zip")


def test_with_the_type_level_none_the_form_does_not_request_the_type() -> None:
    assert not parse(type_level="none").form.has_type
    assert parse(type_level="latest").form.has_type


def test_a_body_or_a_content_length_over_the_limit_is_rejected() -> None:
    size = len(json.dumps({"image_url": URL}))
    assert parse(Limits(max_body_bytes=size, fetch=str.encode))
    with pytest.raises(ImageTooLargeError):
        parse(Limits(max_body_bytes=size - 1, fetch=str.encode))
    with pytest.raises(ImageTooLargeError):
        parse(headers={"content-length": "1001"})


def test_a_request_needs_a_content_type_but_no_accept_header() -> None:
    request = HttpRequest("POST", "/", {}, "req_1", "{}", False, 1, "/")  # noqa: FBT003
    with pytest.raises(InvalidRequestError, match="Content-Type"):
        parse_removal_request(request, LIMITS)
    assert not parse().sends_json
    assert not parse().form.accepts("image/webp")


def test_an_invalid_idempotency_key_is_rejected() -> None:
    assert parse(headers={"idempotency-key": "once"})
    with pytest.raises(InvalidIdempotencyKeyError):
        parse(headers={"idempotency-key": "not valid"})

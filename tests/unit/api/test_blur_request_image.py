"""A blur request has an image file or names an upload, and the size of its body is limited."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.blur_forms import FORM, MOST, request

from blur.api.blur_request import parse_blur_request
from blur.errors import ImageTooLargeError, InvalidRequestError
from blur.parameter_errors import InvalidRadiusError


def test_a_request_can_name_an_upload_instead_of_an_image_file() -> None:
    form = request(("radius", "7"), ("upload_id", "up-1"))
    parsed = parse_blur_request(
        form, max_body_bytes=MOST, get_upload=lambda name: f"bytes of {name}".encode()
    )
    assert parsed.load_image() == b"bytes of up-1"


def test_no_upload_is_fetched_for_an_invalid_request() -> None:
    def get_upload(name: str) -> bytes:
        raise AssertionError(name)

    form = request(("radius", "51"), ("upload_id", "up-1"))
    with pytest.raises(InvalidRadiusError):
        parse_blur_request(form, max_body_bytes=MOST, get_upload=get_upload)


@pytest.mark.parametrize(
    ("fields", "uploads", "message"),
    [
        ((), False, "has no file named 'image'.$"),
        (
            (("upload_id", "up-1"),),
            False,
            "This service does not accept 'upload_id'. Send the photo as the file 'image'.$",
        ),
        ((), True, "no file named 'image' and no 'upload_id'"),
        ((("image", "a"), ("image", "b")), True, "has 2 files named 'image'"),
        ((("image", "a"), ("upload_id", "up-1")), True, "both 'image' and 'upload_id'"),
        ((("image", "a"), ("upload_id", "up-1")), False, "both 'image' and 'upload_id'"),
    ],
)
def test_a_request_has_exactly_one_image(
    fields: tuple[tuple[str, str], ...], message: str, *, uploads: bool
) -> None:
    get_upload: Any = (lambda _: b"photo") if uploads else None
    with pytest.raises(InvalidRequestError, match=message):
        parse_blur_request(
            request(("radius", "7"), *fields), max_body_bytes=MOST, get_upload=get_upload
        )


def test_a_body_at_the_limit_is_read_and_one_byte_more_is_rejected() -> None:
    form = request(*FORM)
    size = len(form.body())
    assert parse_blur_request(form, max_body_bytes=size).load_image() == b"bytes"
    with pytest.raises(ImageTooLargeError, match=f"more than {size - 1} bytes.$"):
        parse_blur_request(form, max_body_bytes=size - 1)


def test_a_declared_length_over_the_limit_is_rejected_before_the_body_is_read() -> None:
    for declared in ("1001", "9" * 100):
        with pytest.raises(ImageTooLargeError, match="more than 1000 bytes"):
            parse_blur_request(request(body=b"", content_length=declared), max_body_bytes=MOST)
    for declared in ("1000", "", "-5", "many", "0000000000000001001"):
        form = request(*FORM, content_length=declared)
        assert parse_blur_request(form, max_body_bytes=MOST).load_image() == b"bytes"


@pytest.mark.parametrize("declared", [{}, {"content_length": "1001"}])
def test_the_message_for_a_large_body_names_the_route_for_uploads_if_uploads_are_accepted(
    declared: dict[str, str],
) -> None:
    form = request(body=bytes(MOST + 1), **declared)
    with pytest.raises(ImageTooLargeError, match=r"bytes\. Send larger photos with POST"):
        parse_blur_request(form, max_body_bytes=MOST, get_upload=lambda _: b"")
    with pytest.raises(ImageTooLargeError, match=r"more than 1000 bytes\.$"):
        parse_blur_request(form, max_body_bytes=MOST)

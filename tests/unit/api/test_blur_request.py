"""Forms are parsed into blur requests, and invalid fields are rejected."""

from __future__ import annotations

import pytest
from tests.unit.api.blur_forms import FORM, MOST, request

from blur.accounts.idempotency_key import IdempotencyKey
from blur.api.blur_request import idempotency_key, parse_blur_request
from blur.api.request import HttpRequest
from blur.errors import ApiError, InvalidIdempotencyKeyError, InvalidRequestError
from blur.imaging.blur_options import BlurOptions
from blur.imaging.roi import Length, Roi
from blur.parameter_errors import (
    InvalidBlurError,
    InvalidDepthError,
    InvalidFormatError,
    InvalidModeError,
    InvalidQualityError,
    InvalidRadiusError,
    InvalidRoiError,
    InvalidSubjectError,
)


def test_image_and_radius_are_a_complete_request() -> None:
    parsed = parse_blur_request(request(*FORM), max_body_bytes=MOST)
    assert parsed.load_image() == b"bytes"
    assert parsed.options == BlurOptions(
        radius_px=7, kernel="gaussian", mode="background", output="png", quality=90
    )


def test_the_fields_blur_and_mode_and_format_and_quality_are_read() -> None:
    more = (("blur", "bokeh"), ("mode", "cutout"), ("format", "webp"), ("quality", "42"))
    parsed = parse_blur_request(request(*FORM, *more), max_body_bytes=MOST)
    assert parsed.options == BlurOptions(
        radius_px=7, kernel="bokeh", mode="cutout", output="webp", quality=42
    )


def test_the_accept_header_selects_the_format_if_the_form_has_no_format() -> None:
    assert parse_blur_request(
        request(*FORM, accept="image/avif"), max_body_bytes=MOST
    ).options.output == ("avif")


@pytest.mark.parametrize("text", ["0", "50", " 7 ", "007", "000000050"])
def test_a_radius_is_a_whole_number_from_0_to_50(text: str) -> None:
    parsed = parse_blur_request(request(("image", "b"), ("radius", text)), max_body_bytes=MOST)
    assert parsed.options.radius_px == int(text)


@pytest.mark.parametrize("text", ["0.1", "0.125", "2", " 5 ", "5.000"])
def test_a_radius_can_be_a_percentage_of_the_longer_side(text: str) -> None:
    form = request(("image", "b"), ("radius", f"{text.strip()}%"))
    options = parse_blur_request(form, max_body_bytes=MOST).options
    assert (options.radius_px, options.radius_percent) == (0, float(text))


def test_the_fields_depth_and_roi_become_options() -> None:
    more = (("depth", "ground"), ("roi", "10 5% 50% 200px"))
    options = parse_blur_request(request(*FORM, *more), max_body_bytes=MOST).options
    assert options.depth == "ground"
    assert options.roi == Roi(
        Length(10, is_percent=False),
        Length(5, is_percent=True),
        Length(50, is_percent=True),
        Length(200, is_percent=False),
    )


@pytest.mark.parametrize("text", ["1", "100"])
def test_a_quality_is_a_whole_number_from_1_to_100(text: str) -> None:
    parsed = parse_blur_request(request(*FORM, ("quality", text)), max_body_bytes=MOST)
    assert parsed.options.quality == int(text)


@pytest.mark.parametrize(
    ("field", "text", "error", "message"),
    [
        ("radius", "51", InvalidRadiusError, "'radius' is not valid. .* from 0 to 50"),
        ("radius", "-1", InvalidRadiusError, "'radius' is not valid"),
        ("radius", "", InvalidRadiusError, "'radius' is not valid"),
        ("radius", "0000000007", InvalidRadiusError, "'radius' is not valid"),
        ("radius", b"\xff7", InvalidRadiusError, "'radius' is not valid"),
        ("radius", "0.05%", InvalidRadiusError, "or 0.1% to 5% of the longer side"),
        ("radius", "5.001%", InvalidRadiusError, "'radius' is not valid"),
        ("radius", "50%", InvalidRadiusError, "'radius' is not valid"),
        ("radius", "1e0%", InvalidRadiusError, "'radius' is not valid"),
        ("radius", "2 %", InvalidRadiusError, "'radius' is not valid"),
        ("radius", "\u0662%", InvalidRadiusError, "'radius' is not valid"),
        (
            "subject",
            "car",
            InvalidSubjectError,
            "'subject' .* Send one of: auto, person",
        ),
        ("depth", "deep", InvalidDepthError, "'depth' is not valid. Send one of: flat, ground"),
        ("roi", "", InvalidRoiError, "'roi' is not valid. .*x1 y1 x2 y2"),
        ("roi", "0 0 100", InvalidRoiError, "'roi' is not valid"),
        ("roi", "0 0 100 100 0", InvalidRoiError, "'roi' is not valid"),
        ("roi", "-1 0 100% 100%", InvalidRoiError, "'roi' is not valid"),
        ("roi", "0 0 1e2 nan", InvalidRoiError, "'roi' is not valid"),
        ("quality", "0", InvalidQualityError, "'quality' is not valid. .* from 1 to 100"),
        ("quality", "101", InvalidQualityError, "'quality' is not valid"),
        ("blur", "box", InvalidBlurError, "'blur' is not valid. Send one of: gaussian, bokeh"),
        ("mode", "", InvalidModeError, "'mode' is not valid. Send one of: background, "),
        ("format", "PNG", InvalidFormatError, "'format' is not valid. Send one of: png, "),
    ],
)
def test_the_message_for_an_invalid_field_contains_the_valid_values(
    field: str, text: str | bytes, error: type[ApiError], message: str
) -> None:
    fields = {**dict(FORM), field: text}
    with pytest.raises(error, match=message):
        parse_blur_request(request(*fields.items()), max_body_bytes=MOST)


def test_a_request_without_headers_is_rejected_because_it_is_not_a_form() -> None:
    bare = HttpRequest("POST", "/", {}, "req_1", "--X--\r\n", False, 1, "/")  # noqa: FBT003
    with pytest.raises(InvalidRequestError, match="multipart/form-data"):
        parse_blur_request(bare, max_body_bytes=MOST)


def test_the_message_for_a_missing_radius_is_that_the_radius_is_missing() -> None:
    with pytest.raises(InvalidRadiusError, match="'radius' is missing"):
        parse_blur_request(request(("image", "b")), max_body_bytes=MOST)


@pytest.mark.parametrize(
    ("field", "error"),
    [
        ("radius", InvalidRadiusError),
        ("quality", InvalidQualityError),
        ("blur", InvalidBlurError),
        ("mode", InvalidModeError),
        ("depth", InvalidDepthError),
        ("roi", InvalidRoiError),
        ("format", InvalidFormatError),
        ("upload_id", InvalidRequestError),
    ],
)
def test_a_repeated_field_is_rejected_with_the_error_of_the_field(
    field: str, error: type[ApiError]
) -> None:
    form = [(name, value) for name, value in FORM if name != field]
    with pytest.raises(error, match=f"'{field}' was sent 2 times"):
        parse_blur_request(request(*form, (field, "7"), (field, "7")), max_body_bytes=MOST)


@pytest.mark.parametrize("key", ["!", "~" * 255])
def test_an_idempotency_key_has_1_to_255_visible_characters(key: str) -> None:
    sent = request(*FORM, idempotency_key=key)
    assert parse_blur_request(sent, max_body_bytes=MOST).load_image() == b"bytes"
    assert idempotency_key(sent) == IdempotencyKey(key)


@pytest.mark.parametrize("key", ["", "a b", "a" * 256, "\x7f", "key\n", "\xe9"])
def test_invalid_idempotency_keys_are_rejected(key: str) -> None:
    sent = request(*FORM, idempotency_key=key)
    assert idempotency_key(sent) is None
    with pytest.raises(InvalidIdempotencyKeyError, match="1 to 255 visible ASCII"):
        parse_blur_request(sent, max_body_bytes=MOST)


def test_a_request_without_an_idempotency_key_header_has_no_idempotency_key() -> None:
    assert idempotency_key(request(*FORM)) is None

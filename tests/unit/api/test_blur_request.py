"""Forms are parsed into blur requests, and invalid forms are rejected."""

from __future__ import annotations

from typing import Any

import pytest

from blur.accounts.idempotency import IdempotencyKey
from blur.api.blur_request import idempotency_key, parse_blur_request
from blur.api.request import HttpRequest
from blur.errors import (
    ApiError,
    ImageTooLargeError,
    InvalidIdempotencyKeyError,
    InvalidRequestError,
)
from blur.imaging.options import BlurOptions
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

MOST = 1_000
FORM = (("image", "bytes"), ("radius", "7"))


def request(
    *fields: tuple[str, str | bytes], body: bytes | None = None, **headers: str
) -> HttpRequest:
    """Return a request with a form of these fields, in this order."""
    parts = [
        b'--X\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        % (name.encode(), value.encode() if isinstance(value, str) else value)
        for name, value in fields
    ]
    raw = b"".join(parts) + b"--X--\r\n" if body is None else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    all_headers = {"content-type": "multipart/form-data; boundary=X", **named}
    return HttpRequest("POST", "/", all_headers, "req_1", raw.decode("latin-1"), False, 1, "/")  # noqa: FBT003


def test_image_and_radius_are_a_complete_request() -> None:
    order = parse_blur_request(request(*FORM), max_body_bytes=MOST)
    assert order.load_image() == b"bytes"
    assert order.options == BlurOptions(
        radius_px=7, kernel="gaussian", mode="background", output="png", quality=90
    )


def test_every_field_has_an_effect() -> None:
    more = (("blur", "bokeh"), ("mode", "cutout"), ("format", "webp"), ("quality", "42"))
    order = parse_blur_request(request(*FORM, *more), max_body_bytes=MOST)
    assert order.options == BlurOptions(
        radius_px=7, kernel="bokeh", mode="cutout", output="webp", quality=42
    )


def test_accept_selects_the_format_if_the_form_has_none() -> None:
    assert parse_blur_request(
        request(*FORM, accept="image/avif"), max_body_bytes=MOST
    ).options.output == ("avif")


@pytest.mark.parametrize("text", ["0", "50", " 7 ", "007", "000000050"])
def test_a_radius_is_a_whole_number_from_0_to_50(text: str) -> None:
    order = parse_blur_request(request(("image", "b"), ("radius", text)), max_body_bytes=MOST)
    assert order.options.radius_px == int(text)


@pytest.mark.parametrize("text", ["0.1", "0.125", "2", " 5 ", "5.000"])
def test_a_radius_can_be_a_percentage_of_the_longer_side(text: str) -> None:
    form = request(("image", "b"), ("radius", f"{text.strip()}%"))
    options = parse_blur_request(form, max_body_bytes=MOST).options
    assert (options.radius_px, options.radius_percent) == (0, float(text))


def test_depth_and_roi_are_read() -> None:
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
    order = parse_blur_request(request(*FORM, ("quality", text)), max_body_bytes=MOST)
    assert order.options.quality == int(text)


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
def test_the_message_for_an_invalid_field_has_its_valid_values(
    field: str, text: str | bytes, error: type[ApiError], message: str
) -> None:
    fields = {**dict(FORM), field: text}
    with pytest.raises(error, match=message):
        parse_blur_request(request(*fields.items()), max_body_bytes=MOST)


def test_a_request_without_headers_is_not_a_form() -> None:
    bare = HttpRequest("POST", "/", {}, "req_1", "--X--\r\n", False, 1, "/")  # noqa: FBT003
    with pytest.raises(InvalidRequestError, match="multipart/form-data"):
        parse_blur_request(bare, max_body_bytes=MOST)


def test_the_error_for_a_missing_radius_names_it_as_missing() -> None:
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
def test_a_repeated_field_is_rejected_with_its_own_error(field: str, error: type[ApiError]) -> None:
    form = [(name, value) for name, value in FORM if name != field]
    with pytest.raises(error, match=f"'{field}' was sent 2 times"):
        parse_blur_request(request(*form, (field, "7"), (field, "7")), max_body_bytes=MOST)


@pytest.mark.parametrize("key", ["!", "~" * 255])
def test_an_idempotency_key_has_1_to_255_visible_characters(key: str) -> None:
    sent = request(*FORM, idempotency_key=key)
    assert parse_blur_request(sent, max_body_bytes=MOST).load_image() == b"bytes"
    assert idempotency_key(sent) == IdempotencyKey(key)


@pytest.mark.parametrize("key", ["", "a b", "a" * 256, "\x7f", "key\n", "\xe9"])
def test_other_idempotency_keys_are_rejected(key: str) -> None:
    sent = request(*FORM, idempotency_key=key)
    assert idempotency_key(sent) is None
    with pytest.raises(InvalidIdempotencyKeyError, match="1 to 255 visible ASCII"):
        parse_blur_request(sent, max_body_bytes=MOST)


def test_a_request_without_the_header_has_no_idempotency_key() -> None:
    assert idempotency_key(request(*FORM)) is None


def test_an_upload_can_replace_the_image() -> None:
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
            "no file named 'image'. This service does not accept uploads.$",
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
def test_the_message_for_a_large_body_names_the_route_for_uploads_if_it_exists(
    declared: dict[str, str],
) -> None:
    form = request(body=bytes(MOST + 1), **declared)
    with pytest.raises(ImageTooLargeError, match=r"bytes\. Send larger photos with POST"):
        parse_blur_request(form, max_body_bytes=MOST, get_upload=lambda _: b"")
    with pytest.raises(ImageTooLargeError, match=r"more than 1000 bytes\.$"):
        parse_blur_request(form, max_body_bytes=MOST)

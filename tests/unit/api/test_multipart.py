"""Forms are parsed strictly and within limits."""

from __future__ import annotations

from contextlib import nullcontext as does_not_raise
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests_toolbelt import MultipartEncoder

from blur.api.multipart import MAX_PARTS, parse_form
from blur.errors import InvalidRequestError

BOUNDARY = "b0undary"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def part(name: str, value: bytes = b"") -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"'
    return b"--%s\r\n%s\r\n\r\n%s\r\n" % (BOUNDARY.encode(), disposition.encode(), value)


def headed(headers: int, header_bytes: int) -> bytes:
    """Return a part with `headers` headers; the last header has `header_bytes` bytes."""
    more = b"\r\nX: y" * (headers - 2) + b"\r\nX: ".ljust(header_bytes + 2, b"y")
    return part("a").replace(b"\r\n\r\n", more + b"\r\n\r\n", 1)


END = f"--{BOUNDARY}--\r\n".encode()


@given(st.binary(), st.text(alphabet="0123456789", min_size=1), st.text())
def test_a_form_written_by_requests_toolbelt_is_read_back_exactly(
    content: bytes, radius: str, file_name: str
) -> None:
    encoder = MultipartEncoder({"image": (file_name, content, "image/png"), "radius": radius})
    form = parse_form(encoder.content_type, encoder.read())
    assert form.all("image") == [content]
    assert form.all("radius") == [radius.encode()]
    assert form.all("mode") == ()


def test_a_boundary_can_be_quoted_and_the_media_type_can_have_upper_case_letters() -> None:
    form = parse_form(f'Multipart/FORM-Data; Boundary="{BOUNDARY}"', part("a", b"1") + END)
    assert form.all("a") == [b"1"]


@pytest.mark.parametrize(
    "header",
    [
        f"multipart/form-data; boundary={BOUNDARY}:x",
        f"multipart/form-data; boundary={BOUNDARY} x",
        f"multipart/form-data; boundary=other; boundary={BOUNDARY}",
        f'multipart/form-data; x="; boundary=other; boundary={BOUNDARY}',
    ],
)
def test_an_ambiguous_boundary_is_rejected(header: str) -> None:
    with pytest.raises(InvalidRequestError, match="boundary"):
        parse_form(header, part("a", b"1") + END)


def test_white_space_and_parameters_other_than_the_boundary_are_ignored_in_the_content_type() -> (
    None
):
    header = f'multipart/form-data ;charset="utf;-8" ;  boundary = {BOUNDARY} ; x=y;'
    assert parse_form(header, part("a", b"1") + END).all("a") == [b"1"]


def test_text_that_looks_like_the_boundary_is_content() -> None:
    content = f"\r\n--{BOUNDARY[:-1]}\r\n--{BOUNDARY}".encode()[:-1]
    assert parse_form(TYPE, part("a", content) + END).all("a") == [content]


def test_all_parts_with_the_same_name_are_kept_in_order() -> None:
    assert parse_form(TYPE, part("a", b"1") + part("a", b"2") + END).all("a") == [b"1", b"2"]


@given(st.integers(min_value=0, max_value=len(part("image", b"content") + END) - 3))
def test_a_truncated_body_is_rejected(length: int) -> None:
    whole = part("image", b"content") + END
    with pytest.raises(InvalidRequestError):
        parse_form(TYPE, whole[:length])


@pytest.mark.parametrize(
    "body",
    [
        part("a") * (MAX_PARTS + 1) + END,
        part("a").replace(b"form-data", b"form-data; x=" + b"y" * 5000) + END,
        part("a").replace(b"\r\n\r\n", b"\r\nX: y" * 9 + b"\r\n\r\n") + END,
    ],
    ids=["parts", "header length", "headers"],
)
def test_too_many_parts_or_headers_and_too_long_headers_are_rejected(body: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="too many parts, or too many or too long"):
        parse_form(TYPE, body)


@pytest.mark.parametrize(
    "body",
    [
        END.replace(b"--\r\n", b"\r\n"),
        part("a").replace(b"form-data", b"attachment") + END,
        part("a").replace(b'name="a"', b"") + END,
        part("a").replace(b"\r\n\r\n", b"\n\n") + END,
        b"prologue" + part("a") + END,
    ],
    ids=["no parts", "other disposition", "no name", "bare line feeds", "text before"],
)
def test_a_malformed_body_is_rejected(body: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="malformed"):
        parse_form(TYPE, body)


def test_a_huge_boundary_is_rejected() -> None:
    with pytest.raises(InvalidRequestError):
        parse_form(f"multipart/form-data; boundary={'b' * 3000}", b"--b")


@given(st.text(), st.binary())
def test_each_content_type_and_body_is_parsed_or_raises_only_an_invalid_request_error(
    content_type: str, body: bytes
) -> None:
    for given_type in (content_type, TYPE):
        with does_not_raise(), suppress(InvalidRequestError):
            parse_form(given_type, body)


def test_parts_and_headers_at_the_limits_are_read_and_headers_above_a_limit_are_rejected() -> None:
    assert len(parse_form(TYPE, part("a") * 20 + END).all("a")) == 20
    for headers, header_bytes in ((8, 40), (2, 4096)):
        assert parse_form(TYPE, headed(headers, header_bytes) + END).all("a") == [b""]
    for headers, header_bytes in ((9, 40), (2, 4097)):
        with pytest.raises(InvalidRequestError, match="too many or too long headers"):
            parse_form(TYPE, headed(headers, header_bytes) + END)


@pytest.mark.parametrize(
    ("content_type", "message"),
    [
        ("", "Send the request as multipart/form-data"),
        ("text/plain; boundary=b", "Send the request as multipart/form-data"),
        ("multipart/form-data", "no valid boundary"),
        ("multipart/form-data; boundary=", "no valid boundary"),
        ("multipart/form-data; boundary=\xe9", "no valid boundary"),
        ("multipart/form-data; boundary=" + "b" * 10_000, "malformed"),
    ],
)
def test_the_error_for_a_wrong_content_type_has_the_reason(content_type: str, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        parse_form(content_type, part("a") + END)


def test_a_file_name_is_ignored_even_if_it_is_not_utf_8() -> None:
    odd = part("a", b"1").replace(b'name="a"', b'name="a"; filename="\xff\xfe.png"')
    assert parse_form(TYPE, odd + END).all("a") == [b"1"]

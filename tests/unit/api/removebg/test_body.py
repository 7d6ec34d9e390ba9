"""Bodies from remove.bg's clients: each of the three content types gives the same fields."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from requests_toolbelt import MultipartEncoder

from blur.api.removebg.body import FILE_FIELDS, TEXT_FIELDS, Fields, read_fields
from blur.errors import InvalidRequestError

Reader = Callable[[dict[str, str]], Fields]

PHOTO = b"\x89PNG\r\n\x1a\nany bytes \xff"
VALUES = {
    "size": "auto",
    "crop": "true",
    "roi": "0 0 100% 100%",
    "bg_color": "#ff00aa",
    "image_url": "https://example.com/a%20photo.jpg?a=b&c=+",
}


def multipart(parts: list[tuple[str, Any]]) -> Fields:
    encoder = MultipartEncoder(parts)
    return read_fields(encoder.content_type, encoder.read())


def from_multipart(values: dict[str, str]) -> Fields:
    return multipart(list(values.items()))


def from_form(values: dict[str, str]) -> Fields:
    return read_fields("application/x-www-form-urlencoded", urlencode(values).encode())


def from_json(values: dict[str, Any]) -> Fields:
    return read_fields("application/json; charset=utf-8", json.dumps(values).encode())


@pytest.mark.parametrize("read", [from_multipart, from_form, from_json])
def test_the_same_fields_are_read_from_each_content_type(read: Reader) -> None:
    assert read(VALUES).texts == VALUES


@pytest.mark.parametrize("read", [from_multipart, from_form, from_json])
def test_empty_and_unknown_fields_are_left_out(read: Reader) -> None:
    every_field = dict.fromkeys((*TEXT_FIELDS, *FILE_FIELDS), "")
    fields = read({**every_field, "size": " full ", "roi": "  ", "seo": "x"})
    assert fields == Fields({"size": "full"}, {})


@pytest.mark.parametrize("first", [True, False])
def test_a_file_can_be_the_first_or_the_last_part_of_a_form(first: bool) -> None:  # noqa: FBT001 - a parameter of the test
    file = ("image_file", ("photo.txt", PHOTO, "text/plain"))
    texts = list(VALUES.items())
    fields = multipart([file, *texts] if first else [*texts, file])
    assert (fields.texts, fields.files) == (VALUES, {"image_file": PHOTO})


def test_a_file_without_a_file_name_and_a_content_type_is_read() -> None:
    assert multipart([("image_file", PHOTO)]).files == {"image_file": PHOTO}


def test_a_form_can_have_two_files_and_all_fields() -> None:
    texts = [(name, "x") for name in TEXT_FIELDS]
    files = [(name, ("x.png", PHOTO)) for name in FILE_FIELDS]
    more = [(f"x-{number}", "x") for number in range(20)]
    fields = multipart([*more, *texts, *files])
    assert set(fields.texts) == set(TEXT_FIELDS)
    assert set(fields.files) == set(FILE_FIELDS)


def test_the_last_value_of_a_repeated_field_is_used() -> None:
    assert multipart([("size", "full"), ("size", "hd")]).text("size") == "hd"
    body = b"size=full&size=hd"
    assert read_fields("application/x-www-form-urlencoded", body).text("size") == "hd"
    assert read_fields("application/json", b'{"size": "full", "size": "hd"}').text("size") == "hd"


def test_json_booleans_and_numbers_become_text_and_null_is_absent() -> None:
    fields = from_json({"crop": True, "add_shadow": False, "type_level": 1, "scale": None})
    assert fields.texts == {"crop": "true", "add_shadow": "false", "type_level": "1"}


def test_invalid_unicode_becomes_replacement_characters_in_each_type_of_body() -> None:
    """JSON can contain half of a surrogate pair, which cannot be encoded as UTF-8."""
    in_json = from_json({"image_url": "https://a/\ud800"}).texts["image_url"]
    assert in_json.encode().decode().strip("\ufffd") == "https://a/"
    for fields in (
        multipart([("image_url", b"https://a/\xff")]),
        read_fields("application/x-www-form-urlencoded", b"image_url=https://a/%FF"),
    ):
        assert fields.texts["image_url"] == "https://a/\ufffd"
    assert (
        from_json({"image_url": "https://a/\U0001f600"}).texts["image_url"]
        == "https://a/\U0001f600"
    )


@pytest.mark.parametrize("value", [["0", "0"], {"x": 1}])
def test_the_error_for_a_parameter_with_a_json_list_or_object_names_the_parameter(
    value: object,
) -> None:
    with pytest.raises(InvalidRequestError, match="'roi'"):
        from_json({"roi": value})
    assert from_json({"unknown": value}) == Fields({}, {})


@pytest.mark.parametrize("read", [from_form, from_json])
def test_if_a_file_field_contains_text_the_name_of_the_field_is_returned(read: Reader) -> None:
    assert read({"image_file": "abc"}) == Fields({}, {}, frozenset({"image_file"}))


def test_exactly_the_fields_of_remove_bgs_api_description_are_read() -> None:
    names = """
        image_file image_file_b64 image_url size type type_level format roi crop crop_margin scale
        position channels add_shadow shadow_type shadow_opacity semitransparency bg_color
        bg_image_url bg_image_file
    """
    assert {*TEXT_FIELDS, *FILE_FIELDS} == set(names.split())


def test_a_form_field_with_an_empty_file_is_ignored() -> None:
    assert multipart([("image_file", ("photo.jpg", b"")), ("size", "hd")]).files == {}


@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        ("application/json", b"{", "not valid JSON"),
        ("application/json", b"\xff\xfe\x00", "not valid JSON"),
        ("application/json", b"[" * 100_000, "not valid JSON"),
        ("application/json", b'{"size": ' + b"9" * 10_000 + b"}", "not valid JSON"),
        ("application/json", b"[1]", "not a JSON object"),
        ("application/json", b"", "not valid JSON"),
        ("application/x-www-form-urlencoded", b"a=1&" * 51, "too many fields"),
        ("multipart/form-data", b"x", "boundary"),
        ("multipart/form-data; boundary=a", b"--b\r\n", "malformed"),
        ("image/png", PHOTO, "multipart/form-data, application/json or"),
        ("", b"x", "multipart/form-data, application/json or"),
    ],
)
def test_a_body_that_cannot_be_read_is_rejected_with_the_reason(
    content_type: str, body: bytes, message: str
) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        read_fields(content_type, body)
    assert message in raised.value.message


def test_a_form_with_more_than_50_parts_is_rejected() -> None:
    assert multipart([(f"x{number}", "x") for number in range(50)]) == Fields({}, {})
    with pytest.raises(InvalidRequestError, match="too many parts"):
        multipart([(f"x{number}", "x") for number in range(51)])


def test_the_repr_of_the_fields_contains_neither_images_nor_urls() -> None:
    shown = repr(multipart([("image_file", PHOTO), ("image_url", "https://secret")]))
    assert "secret" not in shown
    assert "PNG" not in shown

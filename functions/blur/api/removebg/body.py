"""The fields of a request to remove.bg's API; all three kinds of body have the same field names.

Clients send fields in any order, and some clients send unused fields with empty values, so an empty
field counts as absent. If a field is repeated, its last value counts, as in remove.bg's framework.
Names and types of files are ignored: the decoder recognises a file by its content.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from blur.api.json_body import parse_json_object
from blur.api.multipart import parse_form
from blur.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_FIELDS = 50
FILE_FIELDS = ("image_file", "bg_image_file")
"""The fields that are files; only a multipart body can have them."""
TEXT_FIELDS = (
    "image_file_b64",
    "image_url",
    "size",
    "type",
    "type_level",
    "format",
    "roi",
    "crop",
    "crop_margin",
    "scale",
    "position",
    "channels",
    "add_shadow",
    "shadow_type",
    "shadow_opacity",
    "semitransparency",
    "bg_color",
    "bg_image_url",
)
"""The fields that are text. All fields that are not in these two tuples are ignored."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a request that are not empty."""

    texts: Mapping[str, str] = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)
    misplaced: frozenset[str] = frozenset()
    """The names of file fields that were sent as text."""

    def text(self, name: str) -> str | None:
        """Return a field without surrounding white space, or None if the field is absent."""
        return self.texts.get(name)


def read_fields(content_type: str, body: bytes) -> Fields:
    """Return the fields of a body.

    Raises:
        InvalidRequestError: the content type is not supported, or the body is malformed, has too
        many fields, or has a list or an object as the value of a field.

    """
    match content_type.partition(";")[0].strip().lower():
        case "application/json":
            return _text_fields(_json_values(body))
        case "application/x-www-form-urlencoded":
            return _text_fields(_pairs(body))
        case "multipart/form-data":
            return _multipart_fields(content_type, body)
        case _:
            message = (
                "The Content-Type is not supported. Send multipart/form-data, application/json or"
                " application/x-www-form-urlencoded."
            )
            raise InvalidRequestError(message)


def _multipart_fields(content_type: str, body: bytes) -> Fields:
    parts = parse_form(content_type, body, max_parts=MAX_FIELDS).parts
    last = {name: values[-1] for name, values in parts.items()}
    # Bytes that are not UTF-8 become replacement characters, which no valid value contains.
    texts = ((name, last[name].decode(errors="replace")) for name in TEXT_FIELDS if name in last)
    return Fields(_not_empty(texts), {name: last[name] for name in FILE_FIELDS if last.get(name)})


def _text_fields(pairs: Iterable[tuple[str, str]]) -> Fields:
    values = _not_empty(pairs)
    texts = {name: value for name, value in values.items() if name in TEXT_FIELDS}
    return Fields(texts, {}, frozenset(FILE_FIELDS) & values.keys())


def _not_empty(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    stripped = {name: value.strip() for name, value in pairs}
    return {name: value for name, value in stripped.items() if value}


def _json_values(body: bytes) -> Iterable[tuple[str, str]]:
    document = parse_json_object(body)
    known = (*TEXT_FIELDS, *FILE_FIELDS)
    return [(name, _json_text(name, document[name])) for name in known if name in document]


def _json_text(name: str, value: Any) -> str:  # noqa: ANN401 - a JSON value can have many types
    """Return a JSON value as the text that a form would contain; null becomes an empty text.

    Raises:
        InvalidRequestError: the value is a list or an object.

    """
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case str():
            # JSON can contain one half of a surrogate pair, which is not valid UTF-8. Such a half
            # also becomes replacement characters.
            return value.encode(errors="surrogatepass").decode(errors="replace")
        case int() | float():
            return str(value)
        case _:
            message = f"Send the field '{name}' as a string, a number or a boolean."
            raise InvalidRequestError(message)


def _pairs(body: bytes) -> Iterable[tuple[str, str]]:
    from blur.api.removebg.urlencoded import parse_pairs  # noqa: PLC0415 - the module imports numpy, which takes time

    try:
        return parse_pairs(body, max_fields=MAX_FIELDS)
    except ValueError as error:
        message = f"The form has too many fields. Send at most {MAX_FIELDS}."
        raise InvalidRequestError(message) from error

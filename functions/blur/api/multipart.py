"""Strict parsing of a multipart/form-data body (RFC 7578), with limits.

The package `multipart` parses the body. The decoder of requests-toolbelt is made for responses: it
has no limits and accepts truncated bodies (docs/adr/0002).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from blur.errors import InvalidRequestError

MAX_PARTS = 20
MAX_HEADER_BYTES = 4096
MAX_HEADERS = 8
_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_CONTENT_TYPE = re.compile(rf"[^;]*(?:;\s*(?:{_WORD}\s*=\s*(?:{_WORD}|\"(?:\\.|[^\"\\])*\")\s*)?)*")
"""A media type and its parameters (RFC 9110, 5.6.6), with optional white space."""
_NAMED = re.compile(r";\s*boundary\s*=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Form:
    """The values of a form's parts, by name, in the order of the form, as bytes."""

    parts: Mapping[str, Sequence[bytes]]

    def all(self, name: str) -> Sequence[bytes]:
        """Return the values of all parts with this name, or an empty sequence."""
        return self.parts.get(name, ())


def parse_form(content_type: str, body: bytes, *, max_parts: int = MAX_PARTS) -> Form:
    """Parse the complete body of a form.

    Raises:
        InvalidRequestError: the content type is not multipart/form-data or has no valid boundary,
        or the body is malformed or truncated. Or the body exceeds a limit: it has too many parts,
        or a part has too many headers or headers that are too long.

    """
    try:
        parser = PushMultipartParser(
            boundary_of(content_type),
            max_header_size=MAX_HEADER_BYTES,
            max_header_count=MAX_HEADERS,
            max_segment_count=max_parts,
            header_charset="latin-1",  # accepts every byte; this code does not use file names
            strict=True,
        )
        return Form(_collect(parser, body))
    except ParserLimitReached as error:
        message = f"The form has too many parts, or too many or too long headers: {error}."
        raise InvalidRequestError(message) from error
    except MultipartError as error:
        message = f"The multipart body is malformed: {error}."
        raise InvalidRequestError(message) from error


def _collect(parser: PushMultipartParser, body: bytes) -> dict[str, list[bytes]]:
    parts: dict[str, list[bytes]] = {}
    chunks: list[bytes] = []
    with parser:  # raises an error at the end of the body if the last boundary is missing
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                name, chunks = event.name, []
            elif event is None:
                parts.setdefault(name, []).append(b"".join(chunks))
            else:
                chunks.append(event)
    return parts


def boundary_of(content_type: str) -> str:
    """Return the boundary in the `Content-Type` header.

    A header of which the package `multipart` would read only a part is rejected, because another
    program could read a different boundary. An example is a boundary with a space but no quotes.

    Raises:
        InvalidRequestError: the type is not multipart/form-data, or the header does not have
        exactly one boundary.

    """
    media_type, options = parse_options_header(content_type)
    if media_type != "multipart/form-data":
        message = "Send the request as multipart/form-data."
        raise InvalidRequestError(message)
    boundary: str | None = options.get("boundary")
    is_clear = _CONTENT_TYPE.fullmatch(content_type) and len(_NAMED.findall(content_type)) == 1
    if not boundary or not boundary.isascii() or not is_clear:
        message = "The Content-Type header has no valid boundary. Put special characters in quotes."
        raise InvalidRequestError(message)
    return boundary

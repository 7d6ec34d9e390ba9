"""The strict reading of a multipart/form-data body (RFC 7578), with limits.

`multipart` parses; requests-toolbelt's decoder, made for responses, has no limits and
takes truncated bodies for whole ones (docs/adr/0002).
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
"""A media type and its parameters (RFC 9110, 5.6.6), with white space where it does no harm."""
_NAMED = re.compile(r";\s*boundary\s*=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Form:
    """The parts of a form by name, in the order they came, as bytes."""

    parts: Mapping[str, Sequence[bytes]]

    def all(self, name: str) -> Sequence[bytes]:
        """Return each part of this name; empty when there is none."""
        return self.parts.get(name, ())


def parse_form(content_type: str, body: bytes) -> Form:
    """Parse a whole body held in memory.

    Raises:
        InvalidRequestError: another content type, no boundary, a malformed or truncated
            body, or more parts or longer headers than any client of this API sends.

    """
    try:
        parser = PushMultipartParser(
            boundary_of(content_type),
            max_header_size=MAX_HEADER_BYTES,
            max_header_count=MAX_HEADERS,
            max_segment_count=MAX_PARTS,
            header_charset="latin-1",  # any byte is a character: file names are not used
            strict=True,
        )
        return Form(_collect(parser, body))
    except ParserLimitReached as error:
        message = f"The form has too many parts or too long headers: {error}."
        raise InvalidRequestError(message) from error
    except MultipartError as error:
        message = f"The multipart body is malformed: {error}."
        raise InvalidRequestError(message) from error


def _collect(parser: PushMultipartParser, body: bytes) -> dict[str, list[bytes]]:
    parts: dict[str, list[bytes]] = {}
    chunks: list[bytes] = []
    with parser:  # which raises at the end where the last boundary is missing
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                name, chunks = event.name, []
            elif event is None:
                parts.setdefault(name, []).append(b"".join(chunks))
            else:
                chunks.append(event)
    return parts


def boundary_of(content_type: str) -> str:
    """Return the boundary that the header names.

    What the library would pass over in silence, such as the end of a boundary that should be
    in quotes, is refused: other readers of the same header may see another boundary.

    Raises:
        InvalidRequestError: it is no multipart/form-data, or does not name one boundary.

    """
    media_type, options = parse_options_header(content_type)
    if media_type != "multipart/form-data":
        message = "Send the image as multipart/form-data."
        raise InvalidRequestError(message)
    boundary: str | None = options.get("boundary")
    is_clear = _CONTENT_TYPE.fullmatch(content_type) and len(_NAMED.findall(content_type)) == 1
    if not boundary or not boundary.isascii() or not is_clear:
        message = "The Content-Type header has no valid multipart boundary, or it lacks quotes."
        raise InvalidRequestError(message)
    return boundary

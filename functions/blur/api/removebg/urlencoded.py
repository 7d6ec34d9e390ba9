"""Decodes an `application/x-www-form-urlencoded` body with little memory.

The memory is a few times the size of the body. `urllib.parse` creates an object for each escape, so
`urllib.parse` would need 2 GB for the largest possible body.
"""

from __future__ import annotations

import numpy as np

_PERCENT = ord("%")
_NO_DIGIT = 16
_DIGITS = np.full(256, _NO_DIGIT, np.uint8)
"""A table with the value of each hexadecimal digit, by ASCII code; `_NO_DIGIT` for other bytes."""
for _digits in (b"0123456789abcdef", b"0123456789ABCDEF"):
    _DIGITS[list(_digits)] = range(16)


def parse_pairs(body: bytes, *, max_fields: int) -> list[tuple[str, str]]:
    """Return the names and values of the fields, in order.

    Bytes that are not UTF-8 become replacement characters, and invalid escapes do not change
    (WHATWG URL, 5.1).

    Raises:
        ValueError: the body has more than `max_fields` fields.

    """
    if body.count(b"&") >= max_fields:
        message = f"more than {max_fields} fields"
        raise ValueError(message)
    parts = (part.partition(b"=") for part in body.split(b"&"))
    return [(_decode(name), _decode(value)) for name, _, value in parts]


def _decode(text: bytes) -> str:
    return unquote(text.replace(b"+", b" ")).decode(errors="replace")


def unquote(text: bytes) -> bytes:
    """Return the text with each escape, such as `%2F`, replaced by the byte that it encodes."""
    if b"%" not in text:
        return text
    data = np.frombuffer(text + b"  ", np.uint8)
    first, second = _DIGITS[data[1:-1]], _DIGITS[data[2:]]
    is_escape = (data[:-2] == _PERCENT) & (np.maximum(first, second) < _NO_DIGIT)
    kept = np.ones(data.size, np.bool_)
    kept[1:-1] &= ~is_escape
    kept[2:] &= ~is_escape
    return np.where(is_escape, first << 4 | second, data[:-2])[kept[:-2]].tobytes()

"""The media types that a client accepts, from its `Accept` header (RFC 9110, 12.5.1)."""

from __future__ import annotations

import re
from typing import NamedTuple

from blur.imaging.encode.formats import OUTPUT_FORMATS

DEFAULT = "png"
LONGEST = 1000
"""Only this many characters of the header are read; browsers send about a hundred."""
_WEIGHT = re.compile(r"\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*")


class _Range(NamedTuple):
    pattern: str
    quality: float


class _Score(NamedTuple):
    quality: float
    named: bool
    """Whether the header names the type explicitly, not only as `image/*` or `*/*`."""


def preferred_format(header: str) -> str:
    """Return the name of the output format that the `Accept` header prefers.

    If types have equal quality, a type that the header names explicitly is preferred. If several
    formats remain, the result is PNG if it is one of them, and otherwise the first of these formats
    in `OUTPUT_FORMATS`. If the client accepts no format, the result is also PNG, because a response
    in an unwanted format is better than an error (RFC 9110, 15.5.7).
    """
    ranges = _ranges(header)
    scores = {name: _score(ranges, each.content_type) for name, each in OUTPUT_FORMATS.items()}
    best = max(scores.values())
    if best.quality == 0 or scores[DEFAULT] == best:
        return DEFAULT
    return next(name for name, score in scores.items() if score == best)


def prefers_json(header: str) -> bool:
    """Return whether the `Accept` header prefers JSON to an image.

    Libraries such as axios send `application/json, text/plain, */*` with every request, even for an
    image. So it is not enough that the header names JSON: JSON must have a higher q-value than each
    image format.
    """
    ranges = _ranges(header)
    images = [_score(ranges, each.content_type).quality for each in OUTPUT_FORMATS.values()]
    return _score(ranges, "application/json").quality > max(images)


def accepts_explicitly(header: str, content_type: str) -> bool:
    """Return whether the header names the type or its family, such as `image/*`, not only `*/*`."""
    ranges = [each for each in _ranges(header) if each.pattern != "*/*"]
    return _score(ranges, content_type).quality > 0


def _ranges(header: str) -> list[_Range]:
    return [_range(item) for item in header[:LONGEST].lower().split(",")]


def _range(item: str) -> _Range:
    pattern, *parameters = item.split(";")
    weights = (match[1] for text in parameters if (match := _WEIGHT.fullmatch(text)))
    return _Range(pattern.strip(), float(next(weights, "1")))


def _score(ranges: list[_Range], content_type: str) -> _Score:
    """Return a type's score, from the most specific range that covers it (RFC 9110, 12.5.1)."""
    family = content_type.partition("/")[0]
    for pattern in (content_type, f"{family}/*", "*/*"):
        qualities = [each.quality for each in ranges if each.pattern == pattern]
        if qualities:
            return _Score(max(qualities), named=pattern == content_type)
    return _Score(0, named=False)

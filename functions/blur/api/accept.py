"""The output format that a client prefers, by its `Accept` header (RFC 9110, 12.5.1)."""

from __future__ import annotations

import re
from typing import NamedTuple

from blur.imaging.encode.encoder import OUTPUT_FORMATS

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
    """Whether the header names the type itself, and not only `image/*` or `*/*`."""


def preferred_format(header: str) -> str:
    """Return the preferred output format; of several, one whose type the header names itself.

    If several are left, or if none is acceptable, it is PNG: a response in another format is
    better than none (RFC 9110, 15.5.7).
    """
    ranges = [_range(item) for item in header[:LONGEST].lower().split(",")]
    scores = {name: _score(ranges, each.content_type) for name, each in OUTPUT_FORMATS.items()}
    best = max(scores.values())
    if best.quality == 0 or scores[DEFAULT] == best:
        return DEFAULT
    return next(name for name, score in scores.items() if score == best)


def _range(item: str) -> _Range:
    pattern, *parameters = item.split(";")
    weights = (match[1] for text in parameters if (match := _WEIGHT.fullmatch(text)))
    return _Range(pattern.strip(), float(next(weights, "1")))


def _score(ranges: list[_Range], content_type: str) -> _Score:
    """Return the quality of a type by the most specific range that covers it (12.5.1)."""
    for pattern in (content_type, "image/*", "*/*"):
        qualities = [each.quality for each in ranges if each.pattern == pattern]
        if qualities:
            return _Score(max(qualities), named=pattern == content_type)
    return _Score(0, named=False)

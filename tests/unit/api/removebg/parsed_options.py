"""Parse remove.bg's parameters into options, and create expected lengths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.api.removebg.body import Fields
from blur.api.removebg.parameters import parse_options
from blur.imaging.roi import Length

if TYPE_CHECKING:
    from blur.imaging.removal.options import RemovalOptions


def options(**texts: str) -> RemovalOptions:
    return parse_options(Fields(texts, {}))


def px(value: float) -> Length:
    return Length(value, is_percent=False)


def percent(value: float) -> Length:
    return Length(value, is_percent=True)

"""The table of options against the API and the imaging, which both read it."""

from __future__ import annotations

import inspect

import click
import pytest

from bgblur.blurring.options import (
    EXTENSIONS,
    FORMAT_OF,
    OPTIONS,
    BlurOption,
    for_api,
    for_imaging,
    format_for,
)
from blur.api.order import MAX_RADIUS_PX
from blur.imaging.encode import FORMATS
from blur.imaging.pipeline import MODES, blur_photo
from blur_client import Client


def option(field: str) -> BlurOption:
    return next(option for option in OPTIONS if option.field == field)


def choices(field: str) -> list[str]:
    kind = option(field).type
    assert isinstance(kind, click.Choice)
    return list(kind.choices)


def test_every_option_is_an_argument_of_the_client_and_of_the_imaging() -> None:
    assert {option.field for option in OPTIONS} <= set(inspect.signature(Client.blur).parameters)
    assert {option.local for option in OPTIONS} <= set(inspect.signature(blur_photo).parameters)


def test_the_choices_and_bounds_are_those_of_the_service() -> None:
    assert choices("mode") == list(MODES)
    assert choices("format") == list(FORMATS) == list(EXTENSIONS)
    radius = option("radius").type
    assert isinstance(radius, click.IntRange)
    assert (radius.min, radius.max) == (0, MAX_RADIUS_PX)


def test_what_is_not_given_is_left_to_whoever_blurs() -> None:
    wishes = {"radius": 0, "mode": None, "format": "png"}
    assert for_api(wishes) == {"radius": 0, "format": "png"}
    assert for_imaging(wishes) == {"radius_px": 0, "output": "png"}


@pytest.mark.parametrize("extension", FORMAT_OF)
def test_the_name_of_the_result_says_its_format(extension: str) -> None:
    assert format_for(None, f"holiday{extension.upper()}") == FORMAT_OF[extension]


def test_a_name_that_says_nothing_means_png() -> None:
    assert format_for(None, None) == format_for(None, "folder") == format_for(None, "-") == "png"


def test_a_format_that_was_asked_for_may_have_a_name_of_any_other_kind() -> None:
    assert format_for("png", "holiday.result") == "png"


def test_a_name_of_an_unknown_format_is_refused() -> None:
    with pytest.raises(click.UsageError, match=r"\.tiff.*\.png"):
        format_for(None, "holiday.tiff")

"""The table of options against the API and the imaging, which both read it."""

from __future__ import annotations

import inspect
from dataclasses import fields

import click
import pytest

from bgblur.blurring.options import (
    EXTENSIONS,
    FORMAT_OF,
    OPTIONS,
    BlurOption,
    for_api,
    for_recipe,
    format_for,
)
from blur.api.order import RADII_PX
from blur.imaging.blurring.lens import KERNELS
from blur.imaging.encode.encoder import FORMATS, QUALITIES
from blur.imaging.pipeline import MODES
from blur.imaging.recipe import Recipe
from blur_client import Client


def option(field: str) -> BlurOption:
    return next(option for option in OPTIONS if option.field == field)


def choices(field: str) -> list[str]:
    kind = option(field).type
    assert isinstance(kind, click.Choice)
    return list(kind.choices)


def test_every_option_is_an_argument_of_the_client_and_a_field_of_the_recipe() -> None:
    assert {option.field for option in OPTIONS} <= set(inspect.signature(Client.blur).parameters)
    assert {option.local for option in OPTIONS} == {field.name for field in fields(Recipe)}


def test_the_choices_are_those_of_the_service() -> None:
    assert choices("blur") == list(KERNELS)
    assert choices("mode") == list(MODES)
    assert choices("format") == list(FORMATS) == list(EXTENSIONS)


@pytest.mark.parametrize(("field", "bounds"), [("radius", RADII_PX), ("quality", QUALITIES)])
def test_the_bounds_are_those_of_the_service(field: str, bounds: range) -> None:
    kind = option(field).type
    assert isinstance(kind, click.IntRange)
    assert (kind.min, kind.max) == (bounds.start, bounds.stop - 1)


def test_what_is_not_given_is_left_to_whoever_blurs() -> None:
    wishes = {"radius": 0, "blur": "bokeh", "mode": None, "format": "png", "quality": None}
    assert for_api(wishes) == {"radius": 0, "blur": "bokeh", "format": "png"}
    assert for_recipe(wishes) == {"radius_px": 0, "kernel": "bokeh", "output": "png"}


@pytest.mark.parametrize("extension", FORMAT_OF)
def test_the_name_of_the_result_says_its_format(extension: str) -> None:
    assert format_for(None, f"holiday{extension.upper()}") == FORMAT_OF[extension]


def test_a_name_that_says_nothing_means_png() -> None:
    assert format_for(None, None) == format_for(None, "folder") == format_for(None, "-") == "png"


def test_a_format_that_was_asked_for_may_have_a_name_of_any_other_kind() -> None:
    assert format_for("webp", "holiday.result") == "webp"


def test_a_name_of_another_format_than_asked_for_is_refused() -> None:
    with pytest.raises(click.UsageError, match=r"holiday\.jpg would be no webp"):
        format_for("webp", "holiday.jpg")


def test_a_name_of_an_unknown_format_is_refused() -> None:
    with pytest.raises(click.UsageError, match=r"\.tiff.*\.png"):
        format_for(None, "holiday.tiff")

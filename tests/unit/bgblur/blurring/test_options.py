"""The table of options, compared with the API and with `blur.imaging`."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path

import click
import pytest

from bgblur.blurring.options import (
    EXTENSIONS,
    FORMAT_OF,
    OPTIONS,
    BlurOption,
    api_options,
    chosen_format,
    imaging_options,
    photo_format,
)
from blur.imaging.blur_options import DEPTHS, BlurOptions
from blur.imaging.blurring.lens import KERNELS
from blur.imaging.decomposition import SUBJECTS
from blur.imaging.encode.formats import OUTPUT_FORMATS, QUALITIES
from blur.imaging.modes import MODES
from blur.imaging.roi import parse_roi
from blur_client import Client


def option(field: str) -> BlurOption:
    return next(option for option in OPTIONS if option.field == field)


def choices(field: str) -> list[str]:
    kind = option(field).type
    assert isinstance(kind, click.Choice)
    return list(kind.choices)


def test_every_option_exists_in_the_client_and_in_blur_imaging() -> None:
    assert {option.field for option in OPTIONS} <= set(inspect.signature(Client.blur).parameters)
    examples = ({"radius": "12", "roi": "0 0 9 9"}, {"radius": "2%"})
    local = {name for example in examples for name in imaging_options(example)}
    local |= {option.local for option in OPTIONS if isinstance(option.local, str)}
    assert local == {field.name for field in fields(BlurOptions)}


def test_the_options_have_the_same_choices_as_the_service() -> None:
    assert choices("blur") == list(KERNELS)
    assert choices("subject") == list(SUBJECTS)
    assert choices("depth") == list(DEPTHS)
    assert choices("mode") == list(MODES)
    assert choices("format") == list(OUTPUT_FORMATS) == list(EXTENSIONS)


def test_the_quality_option_has_the_same_bounds_as_the_service() -> None:
    kind = option("quality").type
    assert isinstance(kind, click.IntRange)
    assert (kind.min, kind.max) == (QUALITIES.start, QUALITIES.stop - 1)


@pytest.mark.parametrize(
    ("field", "text", "local"),
    [
        ("radius", "12", {"radius_px": 12}),
        ("radius", "2%", {"radius_percent": 2.0}),
        ("roi", "0 0 50% 100%", {"roi": parse_roi("0 0 50% 100%")}),
        ("blur", "bokeh", {"kernel": "bokeh"}),
    ],
)
def test_an_option_is_converted_to_a_field_of_the_api_and_an_option_of_blur_imaging(
    field: str, text: str, local: dict[str, object]
) -> None:
    value = option(field).type.convert(text, None, None)
    assert api_options({field: value}) == {field: text}
    assert imaging_options({field: value}) == local


@pytest.mark.parametrize(
    ("field", "text"), [("radius", "51"), ("radius", "6%"), ("roi", "0 0 9"), ("roi", "")]
)
def test_a_value_that_the_api_would_reject_is_a_usage_error(field: str, text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"is not a (radius|region)\. Use "):
        option(field).type.convert(text, None, None)


def test_options_that_were_not_set_are_not_passed_on() -> None:
    options = {"radius": "0", "blur": "bokeh", "mode": None, "format": "png", "quality": None}
    assert api_options(options) == {"radius": "0", "blur": "bokeh", "format": "png"}
    assert imaging_options(options) == {"radius_px": 0, "kernel": "bokeh", "output": "png"}


@pytest.mark.parametrize("extension", FORMAT_OF)
def test_the_extension_of_the_output_selects_the_format(extension: str) -> None:
    assert chosen_format(None, f"holiday{extension.upper()}") == FORMAT_OF[extension]


@pytest.mark.parametrize("output", [None, "folder", "-"])
def test_no_format_is_chosen_if_neither_an_option_nor_an_extension_names_one(
    output: str | None,
) -> None:
    assert chosen_format(None, output) is None


@pytest.mark.parametrize(
    ("photo", "own", "cutout"),
    [
        ("a.jpg", "jpeg", "png"),
        ("a.JPEG", "jpeg", "png"),
        ("a.heic", "jpeg", "png"),
        ("a.png", "png", "png"),
        ("a.webp", "webp", "webp"),
        ("a.avif", "avif", "avif"),
        ("a.tiff", "png", "png"),
        ("a", "png", "png"),
    ],
)
def test_without_a_chosen_format_a_result_gets_the_format_of_its_photo_if_possible(
    photo: str, own: str, cutout: str
) -> None:
    assert photo_format(Path(photo), None) == photo_format(Path(photo), "background") == own
    assert photo_format(Path(photo), "cutout") == cutout


def test_a_photo_from_standard_input_becomes_a_png() -> None:
    assert photo_format(None, None) == "png"


def test_a_chosen_format_can_be_combined_with_an_unknown_extension() -> None:
    assert chosen_format("webp", "holiday.result") == "webp"


def test_a_chosen_format_cannot_be_combined_with_the_extension_of_another_format() -> None:
    with pytest.raises(
        click.UsageError, match=r"holiday\.jpg does not have the extension of a webp"
    ):
        chosen_format("webp", "holiday.jpg")


def test_an_unknown_extension_without_a_chosen_format_is_rejected() -> None:
    with pytest.raises(click.UsageError, match=r"\.tiff.*\.png"):
        chosen_format(None, "holiday.tiff")

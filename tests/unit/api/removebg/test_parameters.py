"""The parameters of remove.bg's API: valid values, and the errors for invalid values."""

from __future__ import annotations

import pytest
from PIL import Image
from tests.unit.api.removebg.parsed_options import options, percent, px
from tests.unit.imaging.pictures import saved

from blur.api.removebg.body import Fields
from blur.api.removebg.parameters import is_preview, parse_type_level
from blur.errors import ApiError
from blur.image_requests import removal_digest
from blur.imaging.removal.options import PREVIEW_SIZES, SIZES, RemovalOptions
from blur.imaging.roi import Roi
from blur.parameter_errors import InvalidFormatError, InvalidRoiError
from blur.removal_errors import (
    InvalidBgColorError,
    InvalidChannelsError,
    InvalidCropError,
    InvalidSemitransparencyError,
    InvalidSizeError,
    InvalidTypeLevelError,
    UnsupportedShadowError,
)


def test_without_parameters_the_result_is_a_transparent_preview() -> None:
    assert options() == RemovalOptions()
    assert options().max_megapixels == 0.25


@pytest.mark.parametrize(
    "texts",
    [
        *({"size": name} for name in ("preview", "small", "regular")),
        *({"crop": text} for text in ("false", "0", "no")),
        *({"crop_margin": text} for text in ("0", "0px", "0%", "0.0", "0 0%", "0 0 0 0")),
        *({"position": text} for text in ("original", "ORIGINAL")),
        {"format": "auto"},
        {"scale": "original"},
        {"roi": "0% 0% 100% 100%"},
        {"channels": "rgba"},
        {"type_level": "1"},
        {"semitransparency": "true"},
        {"add_shadow": "false"},
    ],
    ids=str,
)
def test_sending_a_default_value_does_not_change_the_fingerprint(texts: dict[str, str]) -> None:
    assert removal_digest(options(**texts)) == removal_digest(options())


@pytest.mark.parametrize("position", ["center", "50%", "50% 50%"])
def test_with_a_scale_the_centre_is_the_default_position(position: str) -> None:
    sent = options(scale="50%", position=position)
    assert removal_digest(sent) == removal_digest(options(scale="50%"))


@pytest.mark.parametrize("size", [*SIZES, "FULL", "50mp"])
def test_each_size_name_sets_the_maximum_number_of_megapixels(size: str) -> None:
    by_name = {name.lower(): megapixels for name, megapixels in SIZES.items()}
    assert options(size=size).max_megapixels == by_name[size.lower()]
    assert is_preview(Fields({"size": size}, {}), None) is (size in PREVIEW_SIZES)


@pytest.mark.parametrize(
    ("size", "shape", "expected"),
    [
        ("auto", (500, 500), True),
        ("auto", (500, 333), True),
        ("auto", (501, 500), False),
        ("full", (500, 333), False),
        ("medium", (1, 1), False),
        ("preview", (5000, 4), True),
    ],
)
def test_size_preview_gives_a_preview_and_size_auto_gives_a_preview_only_for_a_small_photo(
    size: str,
    shape: tuple[int, int],
    expected: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    photo = saved(Image.new("RGB", shape), "PNG")
    assert is_preview(Fields({"size": size}, {}), photo) is expected


def test_size_auto_is_not_a_preview_if_the_size_of_the_photo_is_unknown() -> None:
    for photo in (None, b"", b"text"):
        assert not is_preview(Fields({"size": "auto"}, {}), photo)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("1", True),
        ("True", True),
        ("yes", True),
        ("on", True),
        ("false", False),
        ("0", False),
        ("False", False),
        ("no", False),
        ("off", False),
    ],
)
def test_a_boolean_can_be_written_as_true_or_1_or_yes_or_on_and_as_false_or_0_or_no_or_off(
    text: str,
    value: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert options(crop=text).crop is value
    options(semitransparency=text)


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("fff", (255, 255, 255, 255)),
        ("#FFF", (255, 255, 255, 255)),
        ("#1234", (0x11, 0x22, 0x33, 0x44)),
        ("81d4fa", (0x81, 0xD4, 0xFA, 255)),
        ("#81d4fa77", (0x81, 0xD4, 0xFA, 0x77)),
        ("red", (255, 0, 0, 255)),
        ("RebeccaPurple", (0x66, 0x33, 0x99, 255)),
    ],
)
def test_a_background_colour_is_hexadecimal_or_a_name(text: str, colour: tuple[int, ...]) -> None:
    assert options(bg_color=text).colour == colour


def test_a_colour_name_is_still_accepted_after_pillow_has_used_it() -> None:
    """When Pillow parses a name, it replaces the text in `ImageColor.colormap` by a tuple."""
    Image.new("RGB", (1, 1), "teal")
    for _ in range(2):
        assert options(bg_color="teal").colour == (0, 128, 128, 255)


@pytest.mark.parametrize(
    "text", ["#ff", "fffff", "fffffff", "rgb(1,2,3)", "reddish", "#ggg", "##fff"]
)
def test_invalid_background_colours_are_rejected(text: str) -> None:
    with pytest.raises(InvalidBgColorError, match="3, 4, 6 or 8 hexadecimal digits"):
        options(bg_color=text)


def test_zeros_in_a_region_need_no_unit() -> None:
    corners = Roi(px(0), px(0), percent(100), percent(100))
    assert options(roi="0 0 100% 100%").roi == corners


def test_all_formats_of_remove_bgs_api_and_the_value_alpha_for_channels_are_accepted() -> None:
    for name in ("auto", "png", "jpg", "webp", "zip"):
        assert options(format=name.upper()).output == name
    assert options(channels="alpha").channels == "alpha"


@pytest.mark.parametrize("text", ["auto", "person", "car", "a future type"])
def test_the_value_of_the_parameter_type_does_not_change_the_options(text: str) -> None:
    assert options(type=text) == options()


def test_each_valid_type_level_is_accepted_unchanged_and_the_default_is_1() -> None:
    assert parse_type_level(Fields({}, {})) == "1"
    for text in ("none", "1", "2", "latest"):
        assert parse_type_level(Fields({"type_level": text}, {})) == text
        assert options(type_level=text) == options()


@pytest.mark.parametrize("name", ["add_shadow", "shadow_type", "shadow_opacity"])
def test_shadow_parameters_accept_only_values_that_ask_for_no_shadow(name: str) -> None:
    for text in ("none", "false", "None", "0", "no"):
        assert options(**{name: text}) == options()
    for text in ("true", "drop", "3D", "50", "100"):
        with pytest.raises(UnsupportedShadowError, match=name):
            options(**{name: text})


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("size", "huge", InvalidSizeError),
        ("format", "bmp", InvalidFormatError),
        ("channels", "rgb", InvalidChannelsError),
        ("crop", "maybe", InvalidCropError),
        ("crop", "2", InvalidCropError),
        ("semitransparency", "half", InvalidSemitransparencyError),
        ("type_level", "3", InvalidTypeLevelError),
        ("roi", "0 0 100%", InvalidRoiError),
    ],
)
def test_an_invalid_value_raises_the_error_of_its_parameter(
    name: str, text: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match=f"'{name}'"):
        options(**{name: text})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("crop", "true or false"),
        ("semitransparency", "true or false"),
        ("crop_margin", "1, 2 or 4 lengths of at most 50% or 500px"),
        ("scale", "10% to 100%, or original"),
        ("position", "original, center, or one or two percentages from 0% to 100%"),
        ("bg_color", "a colour name, or 3, 4, 6 or 8 hexadecimal digits"),
        ("channels", "one of: rgba, alpha"),
        ("format", "one of: auto, png, jpg, webp, zip"),
        ("type_level", "one of: none, 1, 2, latest"),
        ("size", "one of: preview, small, regular, medium, hd, full, 4k, auto, 50MP"),
    ],
)
def test_an_error_names_the_parameter_and_its_valid_values(name: str, expected: str) -> None:
    with pytest.raises(ApiError) as raised:
        options(**{name: "?"})
    assert raised.value.message == f"The parameter '{name}' is not valid. Send {expected}."

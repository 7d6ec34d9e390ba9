"""Convert the parameters of remove.bg's API to options; an error names the invalid parameter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from blur.imaging.decode.header_size import read_header_size
from blur.imaging.removal.options import (
    CENTER,
    CHANNELS,
    MAX_MARGIN_PERCENT,
    MAX_MARGIN_PX,
    NO_MARGIN,
    NO_MARGINS,
    OUTPUTS,
    PREVIEW_SIZES,
    SCALES,
    SIZES,
    Margins,
    RemovalOptions,
)
from blur.imaging.roi import WHOLE_PHOTO, parse_length, parse_roi
from blur.parameter_errors import InvalidFormatError
from blur.removal_errors import (
    InvalidBgColorError,
    InvalidChannelsError,
    InvalidCropError,
    InvalidCropMarginError,
    InvalidPositionError,
    InvalidScaleError,
    InvalidSemitransparencyError,
    InvalidSizeError,
    InvalidTypeLevelError,
    UnsupportedShadowError,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from blur.api.removebg.body import Fields
    from blur.errors import ApiError
    from blur.imaging.removal.options import Position, Rgba
    from blur.imaging.roi import Length, Roi

DEFAULT_SIZE, AUTO_SIZE = "preview", "auto"
PREVIEW_PIXELS = round(SIZES[DEFAULT_SIZE] * 1_000_000)
TYPE_LEVELS = ("none", "1", "2", "latest")
BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
NO_SHADOW = ("none", *(text for text, value in BOOLEANS.items() if not value))

_PERCENTAGE = re.compile(r"(\d{1,3}(?:\.\d{1,20})?)%", re.ASCII)
_HEX = re.compile(r"#?([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})")
_SHORT_HEX = 4
_OPAQUE = "ff"
_SIDES: Mapping[int, tuple[int, int, int, int]] = {
    1: (0, 0, 0, 0),
    2: (0, 1, 0, 1),
    4: (0, 1, 2, 3),
}
"""For 1, 2 or 4 values: the indices of the values for top, right, bottom and left, as in CSS."""


def parse_options(fields: Fields, photo: bytes | None = None) -> RemovalOptions:
    """Return all options except the background image.

    A default value that is sent gives the same options as no value, because requests with equal
    options are copies of each other.

    `photo` is the photo's file, if the request contains the file. A result that has the price of a
    preview is not larger than a preview, even if the size in the file's header is wrong. `type` and
    `semitransparency` do not change the result. `type` can be any text, and `semitransparency` must
    be a boolean.

    Raises:
        RemovalError, InvalidParameterError: a parameter is not valid.

    """
    _check_without_effect(fields)
    scale = _scale(fields.text("scale"))
    return RemovalOptions(
        max_megapixels=SIZES[DEFAULT_SIZE if is_preview(fields, photo) else parse_size(fields)],
        roi=_parse_region(fields.text("roi")),
        crop=_boolean(fields, "crop", InvalidCropError, default=False),
        crop_margin=_crop_margin(fields.text("crop_margin")),
        scale=scale,
        position=_position(fields.text("position"), "original" if scale is None else CENTER),
        channels=_choice(fields, "channels", CHANNELS, "rgba", InvalidChannelsError),
        colour=_colour(fields.text("bg_color")),
        output=_choice(fields, "format", OUTPUTS, "auto", InvalidFormatError),
    )


def parse_size(fields: Fields) -> str:
    """Return the requested size, which is one of `SIZES`."""
    return _choice(fields, "size", SIZES, DEFAULT_SIZE, InvalidSizeError)


def is_preview(fields: Fields, photo: bytes | None) -> bool:
    """Return whether the result has the price of a preview.

    As in remove.bg's API, the size `auto` counts as a preview if the photo has no more pixels than
    a preview. The number of pixels is read from the header of the file `photo`. If the request does
    not contain the file, or its header cannot be read, `auto` does not count as a preview.
    """
    size = parse_size(fields)
    if size != AUTO_SIZE or photo is None:
        return size in PREVIEW_SIZES
    sides = read_header_size(photo)
    return sides is not None and sides[0] * sides[1] <= PREVIEW_PIXELS


def parse_type_level(fields: Fields) -> str:
    """Return the requested type level, which is one of `TYPE_LEVELS`."""
    return _choice(fields, "type_level", TYPE_LEVELS, "1", InvalidTypeLevelError)


def _parse_region(text: str | None) -> Roi | None:
    roi = parse_roi(text) if text else None
    return None if roi == WHOLE_PHOTO else roi


def _check_without_effect(fields: Fields) -> None:
    parse_type_level(fields)
    _boolean(fields, "semitransparency", InvalidSemitransparencyError, default=True)
    for name in ("add_shadow", "shadow_type", "shadow_opacity"):
        text = fields.text(name)
        if text is not None and text.lower() not in NO_SHADOW:
            message = f"Shadows are not supported. Leave '{name}' out."
            raise UnsupportedShadowError(message)


def _choice(
    fields: Fields,
    name: str,
    choices: Collection[str],
    default: str,
    error: type[ApiError],
) -> str:
    text = fields.text(name)
    if text is None:
        return default
    for choice in choices:
        if choice.lower() == text.lower():
            return choice
    raise _invalid(error, name, f"one of: {', '.join(choices)}")


def _boolean(fields: Fields, name: str, error: type[ApiError], *, default: bool) -> bool:
    text = fields.text(name)
    if text is None:
        return default
    value = BOOLEANS.get(text.lower())
    if value is None:
        raise _invalid(error, name, "true or false")
    return value


def _crop_margin(text: str | None) -> Margins:
    if text is None:
        return NO_MARGINS
    lengths = [_margin(part) for part in text.split()]
    sides = _SIDES.get(len(lengths))
    if sides is None:
        raise _invalid_margin()
    return Margins(*(lengths[side] for side in sides))


def _margin(text: str) -> Length:
    length = parse_length(text.lower())
    if length is None:
        raise _invalid_margin()
    if length.value > (MAX_MARGIN_PERCENT if length.is_percent else MAX_MARGIN_PX):
        raise _invalid_margin()
    return length if length.value else NO_MARGIN


def _invalid_margin() -> ApiError:
    expected = f"1, 2 or 4 lengths of at most {MAX_MARGIN_PERCENT}% or {MAX_MARGIN_PX}px"
    return _invalid(InvalidCropMarginError, "crop_margin", expected)


def _scale(text: str | None) -> float | None:
    if text is None or text.lower() == "original":
        return None
    share, (least, most) = _share(text), SCALES
    if share is None or not least <= share <= most:
        raise _invalid(InvalidScaleError, "scale", "10% to 100%, or original")
    return share


def _position(text: str | None, default: Position) -> Position | None:
    position = None if text is None else _parse_position(text)
    return None if position == default else position


def _parse_position(text: str) -> Position:
    match text.lower().split():
        case ["original"]:
            return "original"
        case ["center"]:
            return CENTER
        case [one]:
            shares = _share(one), _share(one)
        case [horizontal, vertical]:
            shares = _share(horizontal), _share(vertical)
        case _:
            shares = None, None
    x, y = shares
    if x is None or y is None:
        expected = "original, center, or one or two percentages from 0% to 100%"
        raise _invalid(InvalidPositionError, "position", expected)
    return x, y


def _share(text: str) -> float | None:
    """Return a text from `0%` to `100%` as a number from 0 to 1, or None for any other text."""
    match = _PERCENTAGE.fullmatch(text)
    if match is None or float(match[1]) > 100:  # noqa: PLR2004 - 100 percent is the maximum
        return None
    return float(match[1]) / 100


def _colour(text: str | None) -> Rgba | None:
    """Return the colour for 3, 4, 6 or 8 hexadecimal digits, or for a colour name of CSS."""
    if text is None:
        return None
    from PIL import ImageColor  # noqa: PLC0415 - processes without photos do not import Pillow

    name = text.lower()
    if name in ImageColor.colormap:
        red, green, blue = ImageColor.getrgb(name)[:3]
        return red, green, blue, int(_OPAQUE, 16)
    digits = _HEX.fullmatch(name)
    if digits is None:
        expected = "a colour name, or 3, 4, 6 or 8 hexadecimal digits"
        raise _invalid(InvalidBgColorError, "bg_color", expected)
    code = digits[1]
    if len(code) <= _SHORT_HEX:
        code = "".join(2 * digit for digit in code)
    red, green, blue, opacity = bytes.fromhex(code + _OPAQUE)[:4]
    return red, green, blue, opacity


def _invalid(error: type[ApiError], name: str, expected: str) -> ApiError:
    return error(f"The parameter '{name}' is not valid. Send {expected}.")

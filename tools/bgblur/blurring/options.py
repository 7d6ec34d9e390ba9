"""One table of the blur options: for the command line, the API's form and blurring locally."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from blur.imaging.blur_options import RADIUS_RANGE, parse_radius
from blur.imaging.roi import Roi, parse_roi
from blur.parameter_errors import InvalidRoiError


@dataclass(frozen=True, slots=True, kw_only=True)
class BlurOption:
    """One option. If it and its `default` are not set, the API or `BlurOptions` has a default."""

    field: str
    """The option's name in the API's form, and in `blur_client`."""
    local: str | Callable[[str], Mapping[str, Any] | None]
    """A field of `BlurOptions`, or a function that converts the value to fields of
    `BlurOptions`."""
    flags: tuple[str, ...]
    type: click.ParamType[Any]
    help: str
    required: bool = False
    default: str | None = None


class Radius(click.ParamType[str]):
    """A radius in pixels or percent, with the syntax of the API's form."""

    name = "radius"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text unchanged; fail if the text is not a radius."""
        if parse_radius(value) is None:
            self.fail(f"{value!r} is not a radius. Use {RADIUS_RANGE}.", param, ctx)
        return value


class Region(click.ParamType[str]):
    """A region of interest, with the syntax of the API's form."""

    name = '"x1 y1 x2 y2"'

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text unchanged; fail if the text is not a region."""
        try:
            parse_roi(value)
        except InvalidRoiError:
            message = f"{value!r} is not a region. Use four values, such as '0% 0% 50% 100%'."
            self.fail(message, param, ctx)
        return value


def roi_field(text: str) -> Mapping[str, Roi]:
    """Return the field `roi` of `BlurOptions`, with the region that the text describes."""
    return {"roi": parse_roi(text)}


EXTENSIONS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "avif": ".avif"}
"""For each format, the extension of a new file."""
FORMAT_OF = {extension: name for name, extension in EXTENSIONS.items()} | {".jpeg": "jpeg"}
"""For each extension of the output, the format of the result."""
PHOTO_FORMAT = FORMAT_OF | {".jpe": "jpeg", ".jfif": "jpeg", ".heic": "jpeg", ".heif": "jpeg"}
"""For each extension of a photo, the format of the result; all other photos become PNG."""

OPTIONS = (
    BlurOption(
        field="radius",
        local=parse_radius,
        flags=("-r", "--radius"),
        type=Radius(),
        help="The blur's standard deviation: 0 to 50 pixels, or 0.1% to 5% of the longer side.",
        required=True,
    ),
    BlurOption(
        field="blur",
        local="kernel",
        flags=("--blur",),
        type=click.Choice(["gaussian", "bokeh"]),
        help="A smooth blur, or discs of light as from a lens. [default: gaussian]",
    ),
    BlurOption(
        field="depth",
        local="depth",
        flags=("--depth",),
        type=click.Choice(["flat", "ground"]),
        help="The same blur everywhere, or sharp ground where the subject stands."
        "  [default: ground]",
        default="ground",
    ),
    BlurOption(
        field="roi",
        local=roi_field,
        flags=("--roi",),
        type=Region(),
        help="Search for the subject only in this region, in pixels or percent: '0% 0% 50% 100%'.",
    ),
    BlurOption(
        field="subject",
        local="subject",
        flags=("--subject",),
        type=click.Choice(["auto", "person"]),
        help="Find any subject, or only people, which is much faster.  [default: auto]",
    ),
    BlurOption(
        field="mode",
        local="mode",
        flags=("--mode",),
        type=click.Choice(["background", "cutout"]),
        help="Blur the background, or remove it.  [default: background]",
    ),
    BlurOption(
        field="format",
        local="output",
        flags=("--format",),
        type=click.Choice(list(EXTENSIONS)),
        help="The result's format. [default: by OUT's extension, otherwise by the photo's]",
    ),
    BlurOption(
        field="quality",
        local="quality",
        flags=("--quality",),
        type=click.IntRange(1, 100),
        help="The quality of a jpeg, webp or avif result.  [default: 90]",
    ),
)


def blur_options(
    command: Callable[..., None],
    *,
    required: bool = True,
    helps: Mapping[str, str] | None = None,
) -> Callable[..., None]:
    """Add all `OPTIONS` to a command; `helps` has other help texts for some options, by field.

    If `required` is false, no option is required, and the command itself checks its options.
    """
    for option in reversed(OPTIONS):
        # For click, an explicit None is a value, so a required option would not count as missing.
        default: dict[str, Any] = {} if option.default is None else {"default": option.default}
        command = click.option(
            *option.flags,
            option.field,
            type=option.type,
            required=required and option.required,
            help=(helps or {}).get(option.field, option.help),
            **default,
        )(command)
    return command


def chosen_format(chosen: str | None, file: str | None) -> str | None:
    """Return the format for all results: the chosen format, or the format of the output file.

    Return None if there is neither a chosen format nor an output file with an extension.

    Raises:
        click.UsageError: the extension is unknown, or does not match the chosen format.

    """
    extension = Path(file or "").suffix.lower()
    by_extension = FORMAT_OF.get(extension)
    if extension and not by_extension and not chosen:
        message = f"Unknown output format {extension}. Use one of {', '.join(FORMAT_OF)}."
        raise click.UsageError(message)
    if chosen and by_extension and chosen != by_extension:
        message = f"{file} does not have the extension of a {chosen} file."
        raise click.UsageError(message)
    return chosen or by_extension


def photo_format(photo: Path | None, mode: str | None) -> str:
    """Return the format in `PHOTO_FORMAT`; `png` if there is none, or for a cutout of a JPEG."""
    own = "png" if photo is None else PHOTO_FORMAT.get(photo.suffix.lower(), "png")
    return "png" if mode == "cutout" and own == "jpeg" else own


def api_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were set, by their names in the API."""
    return {name: value for name, value in options.items() if value is not None}


def imaging_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were set, by their names in `BlurOptions`."""
    by_field = api_options(options)
    fields: dict[str, Any] = {}
    for option in OPTIONS:
        if option.field not in by_field:
            continue
        value = by_field[option.field]
        fields |= (
            {option.local: value} if isinstance(option.local, str) else option.local(value) or {}
        )
    return fields

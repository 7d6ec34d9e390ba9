"""The options of a blur in one table: the command line, the API's form and local processing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click


@dataclass(frozen=True, slots=True, kw_only=True)
class BlurOption:
    """One option. If it is not given, the default of the API or of `BlurOptions` applies."""

    field: str
    """Its name in the API's form, and in `blur_client`."""
    local: str
    """Its name in `blur.imaging.options`."""
    flags: tuple[str, ...]
    type: click.ParamType[Any]
    help: str
    required: bool = False


EXTENSIONS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "avif": ".avif"}
"""The extension of a new file in each format."""
FORMAT_OF = {extension: name for name, extension in EXTENSIONS.items()} | {".jpeg": "jpeg"}
"""The format of a result by its extension."""
PHOTO_FORMAT = FORMAT_OF | {".jpe": "jpeg", ".jfif": "jpeg", ".heic": "jpeg", ".heif": "jpeg"}
"""The format of a result by the extension of its photo; all others become PNG."""

OPTIONS = (
    BlurOption(
        field="radius",
        local="radius_px",
        flags=("-r", "--radius"),
        type=click.IntRange(0, 50),
        help="The blur's standard deviation in pixels.",
        required=True,
    ),
    BlurOption(
        field="blur",
        local="kernel",
        flags=("--blur",),
        type=click.Choice(["gaussian", "bokeh"]),
        help="A smooth blur, or discs as from a lens.  [default: gaussian]",
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
        help="The result's format.  [default: by OUT's extension, else the photo's own]",
    ),
    BlurOption(
        field="quality",
        local="quality",
        flags=("--quality",),
        type=click.IntRange(1, 100),
        help="The quality of a jpeg, webp or avif result.  [default: 90]",
    ),
)


def blur_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add all options of the table to a command."""
    for option in reversed(OPTIONS):
        command = click.option(
            *option.flags,
            option.field,
            type=option.type,
            required=option.required,
            help=option.help,
        )(command)
    return command


def chosen_format(chosen: str | None, output: str | None) -> str | None:
    """Return the format of all results: the chosen one, or by the output's extension, or None.

    Raises:
        click.UsageError: the extension is unknown, or does not match the chosen format.

    """
    extension = Path(output or "").suffix.lower()
    by_extension = FORMAT_OF.get(extension)
    if extension and not by_extension and not chosen:
        message = f"Unknown output format {extension}. Use one of {', '.join(FORMAT_OF)}."
        raise click.UsageError(message)
    if chosen and by_extension and chosen != by_extension:
        message = f"{output} does not have the extension of a {chosen} file."
        raise click.UsageError(message)
    return chosen or by_extension


def photo_format(photo: Path | None, mode: str | None) -> str:
    """Return the format of a photo's result: the photo's own, if that can hold the result."""
    own = "png" if photo is None else PHOTO_FORMAT.get(photo.suffix.lower(), "png")
    return "png" if mode == "cutout" and own == "jpeg" else own


def api_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were set, by their names in the API."""
    return {name: value for name, value in options.items() if value is not None}


def imaging_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were set, by their names in `BlurOptions`."""
    by_field = api_options(options)
    return {option.local: by_field[option.field] for option in OPTIONS if option.field in by_field}

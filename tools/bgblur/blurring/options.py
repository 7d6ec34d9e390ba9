"""What can be asked for, in one table: the command line, the API's form and the local recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click


@dataclass(frozen=True, slots=True, kw_only=True)
class BlurOption:
    """One wish. What is not given is left to the API or to the recipe's own default."""

    field: str
    """Its name in the API's form, and in `blur_client`."""
    local: str
    """Its name in `blur.imaging.recipe`."""
    flags: tuple[str, ...]
    type: click.ParamType[Any]
    help: str
    required: bool = False


EXTENSIONS = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "avif": ".avif"}
"""How files of each format are called."""
FORMAT_OF = {extension: name for name, extension in EXTENSIONS.items()} | {".jpeg": "jpeg"}
"""What the end of a file's name says about its format."""

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
        help="A smooth blur, or that of a lens.  [default: gaussian]",
    ),
    BlurOption(
        field="mode",
        local="mode",
        flags=("--mode",),
        type=click.Choice(["background", "cutout"]),
        help="Blur what is behind the subject, or cut the subject out.  [default: background]",
    ),
    BlurOption(
        field="format",
        local="output",
        flags=("--format",),
        type=click.Choice(list(EXTENSIONS)),
        help="The result's file format.  [default: as OUT is called, else png]",
    ),
    BlurOption(
        field="quality",
        local="quality",
        flags=("--quality",),
        type=click.IntRange(1, 100),
        help="Of a jpeg, webp or avif.  [default: 90]",
    ),
)


def blur_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add every option of the table to a command."""
    for option in reversed(OPTIONS):
        command = click.option(
            *option.flags,
            option.field,
            type=option.type,
            required=option.required,
            help=option.help,
        )(command)
    return command


def format_for(chosen: str | None, output: str | None) -> str:
    """Return the result's format: the one asked for, or what the output's name says.

    Raises:
        click.UsageError: the name says another format than was asked for, or an unknown one.

    """
    extension = Path(output or "").suffix.lower()
    said = FORMAT_OF.get(extension)
    if extension and not said and not chosen:
        message = f"no format is called {extension}: there are {', '.join(FORMAT_OF)}"
        raise click.UsageError(message)
    if chosen and said and chosen != said:
        message = f"{output} would be no {chosen} by its name"
        raise click.UsageError(message)
    return chosen or said or "png"


def for_api(wishes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the wishes that are there, by the names of the API."""
    return {name: value for name, value in wishes.items() if value is not None}


def for_recipe(wishes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the wishes that are there, by the names of the recipe."""
    given = for_api(wishes)
    return {option.local: given[option.field] for option in OPTIONS if option.field in given}

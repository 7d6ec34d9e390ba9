"""The parts that the commands share: the settings, a text for the help, and the option `--json`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from bgblur import local_settings

if TYPE_CHECKING:
    from blur.settings import Settings

ACCOUNTS_HELP = (
    "Accounts and keys are in accounts.db in the data folder: $XDG_DATA_HOME/background-blur (by"
    " default ~/.local/share/background-blur), or the folder var of a checkout. Set BLUR_ACCOUNTS"
    " to use another database: sqlite:<path> or dynamodb:<table>."
)


def load_settings() -> Settings:
    """Read the settings from the environment; exit with an error if a setting is invalid."""
    try:
        return local_settings.settings(os.environ)
    except ValueError as error:
        raise click.ClickException(str(error)) from error


def json_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add the option `--json` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")(command)

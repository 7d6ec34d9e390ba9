"""The parts that the commands share: the settings, the option `--json`, and their own name."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
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


def command_name() -> str:
    """Return the name or the path that starts `bgblur`, for a command that the user can copy.

    In a checkout, this is the path that the user typed, such as `.venv/bin/bgblur`.
    """
    started = Path(sys.argv[0])
    if started.stem != "bgblur" or not started.exists():  # `python -m bgblur`, or another program
        return "bgblur"
    found = shutil.which("bgblur")
    return "bgblur" if found and started.samefile(found) else str(started)


def json_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add the option `--json` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")(command)

"""The `bgblur` command."""

from __future__ import annotations

from importlib import import_module

import click

from bgblur.console import ACCOUNTS_HELP
from bgblur.printable import PrintableErrorsGroup

COMMANDS = {
    "accounts": "bgblur.account_commands",
    "blur": "bgblur.blurring.command",
    "jobs": "bgblur.jobs.commands",
    "keys": "bgblur.key_commands",
    "serve": "bgblur.serve_command",
    "top": "bgblur.usage_commands",
    "usage": "bgblur.usage_commands",
}
"""The commands, and the modules that define them."""


class ImportingGroup(PrintableErrorsGroup):
    """A group that imports the module of a command only when the command is used.

    Most commands start twice as fast without the imports of the other commands.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click passes this argument
        """Return the names of the commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click passes this argument
        """Import and return a command, or return None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
        return command


@click.group(
    cls=ImportingGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=ACCOUNTS_HELP,
)
@click.version_option(package_name="background-blur-api")
def main() -> None:
    """Blur or remove the background of photos, on this machine or as an API for other programs.

    \b
    bgblur blur photo.jpg -r 12           blur a photo on this machine
    bgblur serve --demo                   run the API here, with a key to try it
    bgblur keys issue --credits 500       issue a key for a customer
    """  # noqa: D301 - click keeps the lines after \b unchanged

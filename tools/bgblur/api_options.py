"""The option for the API key, for commands that call an API."""

from __future__ import annotations

import click

api_key_option = click.option(
    "--key",
    envvar="BGBLUR_API_KEY",
    show_envvar=True,
    help="Your API key. Set the variable instead: `ps` shows command lines to every user.",
)


def require_api_key(key: str | None) -> str:
    """Return the key.

    Raises: click.UsageError: the key is missing.

    """
    if not key:
        message = "The API requires a key. Set BGBLUR_API_KEY, or use --key."
        raise click.UsageError(message)
    return key

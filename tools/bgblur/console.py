"""The parts that the commands share: the settings, the account store, and the option `--json`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bgblur import local_settings
from blur.accounts.admin import AccountAdmin
from blur.accounts.admin_errors import AccountAdminError
from blur.accounts.connect import open_account_store
from blur.clock import now
from blur.errors import ApiError

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


def accounts_location(accounts: str) -> str:
    """Return the database of the accounts: an absolute path, or `dynamodb:<table>`."""
    path = _database(accounts)
    return str(path.absolute()) if path else accounts


def _database(accounts: str) -> Path | None:
    scheme, _, name = accounts.partition(":")
    return Path(name) if scheme == "sqlite" and name else None


def _require_database(accounts: str) -> None:
    path = _database(accounts)
    if path and not path.exists():
        message = (
            f"There are no accounts at {path.absolute()}. `bgblur keys issue` creates them."
            " Set BLUR_ACCOUNTS to use another database."
        )
        raise click.ClickException(message)


@contextmanager
def open_admin(*, creates: bool = False) -> Iterator[AccountAdmin]:
    """Open the accounts; if the store reports an error, print it in one line and exit.

    A database that does not exist is an error, unless the command `creates` accounts.
    """
    accounts = load_settings().accounts
    if not creates:
        _require_database(accounts)
    try:
        store = open_account_store(accounts)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    try:
        yield AccountAdmin(store, secrets.token_bytes, now())
    except AccountAdminError as error:
        raise click.ClickException(str(error)) from error
    except ApiError as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        message = f"{error.message}{cause}"
        raise click.ClickException(message) from error
    finally:
        store.close()


def json_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add the option `--json` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")(command)

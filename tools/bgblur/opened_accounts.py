"""The account store of the commands; `bgblur blur` and `bgblur jobs` do not import this module."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from bgblur.console import command_name, load_settings
from blur.accounts.admin import AccountAdmin
from blur.accounts.admin_errors import AccountAdminError
from blur.accounts.connect import open_account_store
from blur.clock import now
from blur.errors import ApiError

TIMEOUT_FACTOR = 10
"""A command multiplies the API's time limits by this number. The API's limits, such as 0.3 s for a
connection, suit a function near the table, but an operator can be far from the table."""


def accounts_location(accounts: str) -> str:
    """Return the database of the accounts: an absolute path, or `dynamodb:<table>`."""
    path = _database(accounts)
    return str(path.absolute()) if path else accounts


def absolute_setting(accounts: str) -> str:
    """Return the value of `BLUR_ACCOUNTS` with an absolute path, which is valid in any folder."""
    path = _database(accounts)
    return f"sqlite:{path.absolute()}" if path else accounts


def _database(accounts: str) -> Path | None:
    scheme, _, name = accounts.partition(":")
    return Path(name) if scheme == "sqlite" and name else None


def _require_database(accounts: str) -> None:
    path = _database(accounts)
    if path and not path.exists():
        message = (
            f"There are no accounts at {path.absolute()}. `{command_name()} keys issue` creates"
            " them. Set BLUR_ACCOUNTS to use another database."
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
        store = open_account_store(accounts, timeout_factor=TIMEOUT_FACTOR)
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

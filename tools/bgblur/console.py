"""Shared by all commands: settings, the account store, and output."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bgblur import local_settings
from bgblur.printable import printable
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

UNLIMITED_CELLS = 10_000
"""The width of tables: wide, so that no line is broken. Scripts read lines, and people copy
keys."""


def load_settings() -> Settings:
    """Read the settings from the environment; exit with an error if one is invalid."""
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


def show(record: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one record: a line for each field, or a JSON object.

    Long lines are not broken here, so that a whole key can be selected and copied.
    """
    if as_json:
        click.echo(json.dumps(record))
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    for name, value in record.items():
        table.add_row(name, Text(_cell_text(value)))
    _print(table)


def show_table(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print several records: a table, or a JSON list."""
    if as_json:
        click.echo(json.dumps(list(rows)))
    elif rows:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for name in rows[0]:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(Text(_cell_text(value)) for value in row.values()))
        if _fits(table):
            _print(table)
        else:
            _show_records(rows)
    else:
        click.echo("none")


def _fits(table: Table) -> bool:
    """Return whether the table fits on the terminal without a line break in a cell."""
    console = Console(highlight=False)
    wide = console.options.update(max_width=UNLIMITED_CELLS)
    return not console.is_terminal or console.measure(table, options=wide).maximum <= console.width


def _show_records(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a line for each field, and an empty line between records."""
    for number, row in enumerate(rows):
        if number:
            click.echo()
        show(row, as_json=False)


def _print(table: Table) -> None:
    """Print to standard output, in the table's own width."""
    console = Console(highlight=False, width=UNLIMITED_CELLS)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        click.echo(line.rstrip(), color=console.is_terminal)


def _cell_text(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_cell_text(inner)}" for name, inner in value.items()) or "-"
    return printable(str(value))

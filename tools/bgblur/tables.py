"""Print records and tables on the terminal, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from bgblur.printable import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

UNLIMITED_CELLS = 10_000
"""The maximum width of a table. It is so large that no line is broken, because scripts read lines
and people copy keys."""


def show(record: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one record: a line for each field, or a JSON object.

    Long lines are not broken here, so that a whole key can be selected and copied.
    """
    if as_json:
        click.echo(json.dumps(record))
        return
    from rich.table import Table  # noqa: PLC0415 - rich is slow to import
    from rich.text import Text  # noqa: PLC0415

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    for name, value in record.items():
        table.add_row(name, Text(_cell_text(value)))
    _print(table)


def show_table(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print several records as a table or as a JSON list."""
    if as_json:
        click.echo(json.dumps(list(rows)))
    elif rows:
        table = _table(rows)
        if _fits(table):
            _print(table)
        else:
            _show_records(rows)
    else:
        click.echo("none")


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    from rich.table import Table  # noqa: PLC0415 - rich is slow to import
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell_text(value)) for value in row.values()))
    return table


def _console(width: int | None = None) -> Console:
    from rich.console import Console  # noqa: PLC0415 - rich is slow to import

    return Console(highlight=False, width=width)


def _fits(table: Table) -> bool:
    """Return whether the table fits on the terminal without a line break in a cell."""
    console = _console()
    wide = console.options.update(max_width=UNLIMITED_CELLS)
    return not console.is_terminal or console.measure(table, options=wide).maximum <= console.width


def _show_records(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print a line for each field, and an empty line between records."""
    for number, row in enumerate(rows):
        if number:
            click.echo()
        show(row, as_json=False)


def _print(table: Table) -> None:
    """Print the table to standard output, with lines as long as the table needs."""
    console = _console(UNLIMITED_CELLS)
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

"""`bgblur usage` prints the usage of a month; `bgblur top` prints the busiest accounts."""

from __future__ import annotations

import csv
import io
import re
import time
from typing import TYPE_CHECKING, Any

import click

from bgblur.console import ACCOUNTS_HELP, json_option
from bgblur.opened_accounts import open_admin
from bgblur.printable import printable
from bgblur.tables import show_table
from blur.accounts.model import usage_month
from blur.accounts.usage import (
    Activity,
    BillLine,
    UsageDiffersError,
    activities,
    bill_lines,
    joined_months,
)
from blur.clock import now
from blur.credits import credits_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blur.accounts.model import KeyCounts

PIXELS_PER_MEGAPIXEL = 1_000_000
MINUTE_S = 60
_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")
_FORMULA = re.compile(r"(^\s*|;\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Matches the start of a cell before a character that starts a formula (or its full-width variant).
Some spreadsheets start a new cell at a semicolon
(https://owasp.org/www-community/attacks/CSV_Injection)."""
COLUMNS = ("month", "account", "name", "key", "kind", "calls", "credits", "megapixels", "failures")


class Month(click.ParamType[str]):
    """A month such as 2026-11."""

    name = "YYYY-MM"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the value, if it is a month."""
        if not _MONTH.fullmatch(value):
            self.fail("not a month such as 2026-11", param, ctx)
        return value


@click.command(epilog=ACCOUNTS_HELP)
@click.option("--month", type=Month(), help="A month in UTC: YYYY-MM.  [default: this month]")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV for spreadsheets.")
@json_option
def usage(month: str | None, *, as_csv: bool, as_json: bool) -> None:
    """Print each key's calls, credits, megapixels and failures in a month.

    The credits of an account's keys add up to the usage that `bgblur accounts audit` checks.
    """
    if as_csv and as_json:
        message = "use either --csv or --json"
        raise click.UsageError(message)
    with open_admin() as admin:
        month = month or usage_month(admin.now_us)
        accounts = admin.store.list_usage(month, now_us=admin.now_us)
        try:
            lines = [line for account in accounts for line in bill_lines(account)]
        except UsageDiffersError as error:
            raise click.ClickException(str(error)) from error
    rows = [_bill_row(month, line) for line in lines]
    if as_csv:
        _print_csv(rows)
    else:
        show_table(rows, as_json=as_json)


@click.command(epilog=ACCOUNTS_HELP)
@click.option(
    "--seconds",
    type=click.IntRange(1, 3600),
    default=5,
    show_default=True,
    help="The number of seconds in which calls are counted.",
)
@click.option("--limit", type=click.IntRange(1), default=10, show_default=True)
@json_option
def top(seconds: int, limit: int, *, as_json: bool) -> None:
    """Count the calls for some seconds, and print the busiest accounts with rates per minute.

    The usage of all accounts is read twice, and the difference is printed.
    """
    with open_admin() as admin:
        month, began_s = usage_month(admin.now_us), time.monotonic()
        before = list(admin.store.list_usage(month, now_us=now()))
        time.sleep(seconds)
        after = list(admin.store.list_usage(month, now_us=now()))
        if (next_month := usage_month(now())) != month:
            after = joined_months(after, admin.store.list_usage(next_month, now_us=now()))
        elapsed_s = time.monotonic() - began_s
    found = activities(before, after)[:limit]
    show_table([_activity_row(each, elapsed_s) for each in found], as_json=as_json)


def _bill_row(month: str, line: BillLine) -> dict[str, Any]:
    """Return the columns of a line; calls that an older version counted have no key."""
    return {
        "month": month,
        "account": line.account.account_id,
        "name": line.account.name,
        "key": line.prefix,
        "kind": line.kind.value if line.kind else None,
        "calls": line.counts.calls,
        "credits": credits_number(line.counts.credits),
        "megapixels": line.counts.pixels / PIXELS_PER_MEGAPIXEL,
        "failures": line.counts.failures,
    }


def _activity_row(activity: Activity, elapsed_s: float) -> dict[str, Any]:
    account = activity.account
    return {
        "account": account.account_id,
        "name": account.name,
        **_rates(activity.counts, elapsed_s),
        "held": credits_number(account.held),
        "balance": credits_number(account.balance),
        "month_calls": account.total.calls,
        "month_credits": credits_number(account.total.credits),
    }


def _rates(counts: KeyCounts, elapsed_s: float) -> dict[str, float]:
    """Return an account's rates per minute, by column of the table."""
    amounts = {
        "calls/min": counts.calls,
        "credits/min": credits_number(counts.credits),
        "megapixels/min": counts.pixels / PIXELS_PER_MEGAPIXEL,
        "failures/min": counts.failures,
    }
    return {name: round(amount * MINUTE_S / elapsed_s, 1) for name, amount in amounts.items()}


def _print_csv(rows: Sequence[dict[str, Any]]) -> None:
    """Print the columns' names and a line for each row, as CSV (RFC 4180) in UTF-8."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    click.echo(text.getvalue().encode(), nl=False)


def _cell(value: object) -> object:
    """Return the value; a string is changed so that spreadsheets do not read it as a formula."""
    return _FORMULA.sub(r"\1'", printable(value)) if isinstance(value, str) else value

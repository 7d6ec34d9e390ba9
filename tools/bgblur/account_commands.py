"""`bgblur accounts`: accounts, their credits, and an audit of the ledger."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from bgblur.arguments import (
    ACCOUNT_ID,
    ACCOUNT_NAME,
    ADJUSTMENT,
    ENTRY_ID,
    INITIAL_CREDITS,
    NOTE,
    REQUIRED_NOTE,
    TOP_UP_CREDITS,
)
from bgblur.console import ACCOUNTS_HELP, json_option, load_settings
from bgblur.opened_accounts import accounts_location, open_admin
from bgblur.printable import printable
from bgblur.tables import show, show_table
from blur.accounts.audit import Audit, audit_account, audit_each
from blur.accounts.model import Account, EntryKind, usage_month
from blur.credits import Credits, credits_number, format_credits
from blur.timing import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable

    from blur.accounts.admin import AccountAdmin

EXIT_DIFFERENCES = 3
"""The exit code of an audit that found a difference."""


@click.group(epilog=ACCOUNTS_HELP)
def accounts() -> None:
    """Manage accounts, their credits and their ledger."""


@accounts.command()
@click.argument("name", type=ACCOUNT_NAME)
@click.option("--credits", "initial_credits", type=INITIAL_CREDITS, default="0", show_default=True)
@json_option
def create(name: str, initial_credits: Credits, *, as_json: bool) -> None:
    """Create an account called NAME and print its id."""
    with open_admin(creates=True) as admin:
        account_id = admin.create_account(name, credits=initial_credits)
        account = admin.store.read_account(account_id, now_us=admin.now_us)
        stored_in = accounts_location(load_settings().accounts)
        show({**_row(account), "stored_in": stored_in}, as_json=as_json)


@accounts.command(name="list")
@json_option
def list_(*, as_json: bool) -> None:
    """List every account."""
    with open_admin() as admin:
        rows = [_row(account) for account in admin.store.list_accounts(now_us=admin.now_us)]
        show_table(rows, as_json=as_json)


@accounts.command(name="show")
@click.argument("account_id", type=ACCOUNT_ID)
@json_option
def show_(account_id: str, *, as_json: bool) -> None:
    """Show one account with its usage by month and its keys' prefixes."""
    with open_admin() as admin:
        account = admin.store.read_account(account_id, now_us=admin.now_us)
        usage = {
            month: {"calls": used.calls, "credits": credits_number(used.credits)}
            for month, used in sorted(account.usage.items())
        }
        prefixes = [key.prefix for key in account.keys]
        keys = prefixes if as_json else ", ".join(prefixes) or None
        show({**_row(account), "usage": usage, "keys": keys}, as_json=as_json)


@accounts.command()
@click.argument("account_id", type=ACCOUNT_ID)
@json_option
def ledger(account_id: str, *, as_json: bool) -> None:
    """Print an account's ledger: grants, top-ups and adjustments, oldest first."""
    with open_admin() as admin:
        admin.store.read_account(account_id, now_us=admin.now_us)  # fails if the account is unknown
        rows = [
            {
                "at": rfc3339(entry.at_us),
                "kind": entry.kind.value,
                "credits": credits_number(entry.credits),
                "note": entry.note,
                "entry": entry.entry_id,
            }
            for entry in admin.store.list_entries(account_id)
        ]
        show_table(rows, as_json=as_json)


class AmountCommand(click.Command):
    """A command that reads an argument such as -3 as a number and not as an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; without a negative number, an unknown option is an error."""
        ctx.ignore_unknown_options = any(re.match(r"-[0-9.]", each) for each in args)
        return super().parse_args(ctx, args)


@accounts.command(name="top-up", cls=AmountCommand)
@click.argument("account_id", type=ACCOUNT_ID)
@click.argument("amount", metavar="CREDITS", type=TOP_UP_CREDITS)
@click.option(
    "--note", type=NOTE, default="", help="A text for the ledger, such as an invoice number."
)
@click.option(
    "--entry-id",
    type=ENTRY_ID,
    help="Your own id for this payment. If you repeat the command with this id, the credits are"
    " added once.",
)
@json_option
def top_up(
    account_id: str, amount: Credits, note: str, entry_id: str | None, *, as_json: bool
) -> None:
    """Add CREDITS to an account."""
    with open_admin() as admin:
        admin.add_ledger_entry(account_id, EntryKind.TOP_UP, amount, note, entry_id=entry_id)
        show(_row(admin.store.read_account(account_id, now_us=admin.now_us)), as_json=as_json)


@accounts.command(cls=AmountCommand)
@click.argument("account_id", type=ACCOUNT_ID)
@click.argument("amount", metavar="CREDITS", type=ADJUSTMENT)
@click.option("--note", type=REQUIRED_NOTE, required=True, help="The reason, for the ledger.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
def adjust(account_id: str, amount: Credits, note: str, *, yes: bool, as_json: bool) -> None:
    """Change a balance by CREDITS, such as 3 or -0.25. The balance cannot become negative."""
    if amount == 0:
        message = "CREDITS must not be 0"
        raise click.UsageError(message)
    if not yes:
        signed = f"{'+' if amount > 0 else ''}{format_credits(amount)}"
        click.confirm(f"Change the balance of {account_id} by {signed}?", abort=True, err=True)
    with open_admin() as admin:
        admin.add_ledger_entry(account_id, EntryKind.ADJUSTMENT, amount, note)
        show(_row(admin.store.read_account(account_id, now_us=admin.now_us)), as_json=as_json)


@accounts.command()
@click.argument("account_id", type=ACCOUNT_ID, required=False)
@json_option
@click.pass_context
def audit(context: click.Context, account_id: str | None, *, as_json: bool) -> None:
    """Check that granted - used = balance + held, for ACCOUNT_ID or for all accounts.

    Prints each difference. The exit code is 3 if there is a difference.
    """
    accounts, rows = 0, []
    with open_admin() as admin:
        for part in _audits(admin, account_id):
            accounts += part.accounts
            for each in part.differences:
                rows.append({"account": each.account_id, "difference": each.text})
                if not as_json:  # print now, because reading the next account can fail
                    click.echo(printable(f"{each.account_id}: {each.text}"))
    if as_json:
        show({"accounts": accounts, "differences": rows}, as_json=True)
    else:
        click.echo(f"{accounts} audited, {len(rows)} differences")
    context.exit(EXIT_DIFFERENCES if rows else 0)


def _audits(admin: AccountAdmin, account_id: str | None) -> Iterable[Audit]:
    store, now_us = admin.store, admin.now_us
    if account_id:
        return [audit_account(store, account_id, now_us=now_us)]
    return audit_each(store, [usage_month(now_us)], now_us=now_us)


def _row(account: Account) -> dict[str, Any]:
    return {
        "account": account.account_id,
        "name": account.name,
        "balance": credits_number(account.balance),
        "held": credits_number(account.held),
        "granted": credits_number(account.granted),
        "used": credits_number(account.used),
        "created": rfc3339(account.created_us),
    }

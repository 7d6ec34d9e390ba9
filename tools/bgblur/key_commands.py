"""`bgblur keys`: issue, list and revoke API keys. A key is printed only when it is issued."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from bgblur.arguments import (
    ACCOUNT_ID,
    ACCOUNT_NAME,
    BURST,
    INITIAL_CREDITS,
    KEY_NAME,
    PER_MINUTE,
    Duration,
)
from bgblur.console import ACCOUNTS_HELP, command_name, json_option, load_settings
from bgblur.opened_accounts import accounts_location, open_admin
from bgblur.tables import show, show_table
from blur.account_bounds import MAX_BURST
from blur.account_status import RateLimit
from blur.accounts.model import Instant, KeyKind, KeyRecord
from blur.credits import ZERO, Credits, credits_number
from blur.timing import rfc3339

if TYPE_CHECKING:
    from blur.accounts.admin import AccountAdmin


@click.group(epilog=ACCOUNTS_HELP)
def keys() -> None:
    """Manage API keys."""


@keys.command()
@click.option(
    "--account",
    "account_id",
    type=ACCOUNT_ID,
    help="The key's account.  [default: a new account]",
)
@click.option("--name", type=ACCOUNT_NAME, default="", help="The new account's name.")
@click.option(
    "--credits",
    "initial_credits",
    type=INITIAL_CREDITS,
    help="The new account's credits.  [default: 0]",
)
@click.option(
    "--test", "is_test", is_flag=True, help="Issue a free test key; its results are marked TEST."
)
@click.option(
    "--expires", "ttl_us", type=Duration(min_s=1), help="Time until the key expires, such as 30d."
)
@click.option("--rate", type=PER_MINUTE, help="The key's limit, in requests per minute.")
@click.option("--burst", type=BURST, help="Requests that the key can send at the same time.")
@json_option
def issue(  # noqa: PLR0913, PLR0917 - click passes each option as an argument
    account_id: str | None,
    name: str,
    initial_credits: Credits | None,
    ttl_us: int | None,
    rate: int | None,
    burst: int | None,
    *,
    is_test: bool,
    as_json: bool,
) -> None:
    """Issue a key and print it. It cannot be shown again."""
    if account_id and initial_credits is not None:
        message = "--credits is for a new account; use 'bgblur accounts top-up'"
        raise click.UsageError(message)
    if account_id and name:
        message = "--name is for a new account, but --account selects an existing account"
        raise click.UsageError(message)
    kind = KeyKind.TEST if is_test else KeyKind.LIVE
    with open_admin(creates=account_id is None) as admin:
        account_id = account_id or admin.create_account(name, credits=initial_credits or ZERO)
        text, record = admin.issue_key(account_id, kind, limit=_limit(rate, burst), ttl_us=ttl_us)
        _show_issued(admin, text, record, as_json=as_json)


@keys.command(name="list")
@click.option("--account", "account_id", type=ACCOUNT_ID, help="Only keys of this account.")
@json_option
def list_(account_id: str | None, *, as_json: bool) -> None:
    """List keys with their prefixes and status."""
    with open_admin() as admin:
        store, now_us = admin.store, admin.now_us
        accounts = (
            [store.read_account(account_id, now_us=now_us)]
            if account_id
            else store.list_accounts(now_us=now_us)
        )
        rows = [
            {**_row(key, now_us), "balance": credits_number(account.balance)}
            for account in accounts
            for key in account.keys
        ]
        show_table(rows, as_json=as_json)


@keys.command()
@click.argument("key", type=KEY_NAME)
@click.option("--grace", "grace_us", type=Duration(), default="24h", show_default=True)
@json_option
def rotate(key: str, grace_us: int, *, as_json: bool) -> None:
    """Replace KEY (a prefix) with a new key. KEY expires after the grace period."""
    with open_admin() as admin:
        text, record = admin.rotate_key(admin.find_key(key), grace_us=grace_us)
        _show_issued(admin, text, record, as_json=as_json)


@keys.command()
@click.argument("key", type=KEY_NAME)
@click.option("--rate", type=PER_MINUTE, help="Requests per minute.")
@click.option("--burst", type=BURST, help="Requests that the key can send at once.")
@json_option
def limit(key: str, rate: int | None, burst: int | None, *, as_json: bool) -> None:
    """Set the rate limit of KEY (a prefix).

    Without --burst, the burst does not change, unless it is larger than the new rate: then it
    becomes equal to this rate.
    """
    if rate is None and burst is None:
        message = "Set --rate, --burst, or both."
        raise click.UsageError(message)
    with open_admin() as admin:
        record = admin.find_key(key)
        per_minute, old = rate or record.limit.per_minute, record.limit.burst
        new = RateLimit(per_minute, burst or (min(old, rate) if rate else old))
        admin.store.set_rate_limit(record.account_id, record.digest, new)
        show(_row(admin.find_key(key), admin.now_us), as_json=as_json)


@keys.command()
@click.argument("key", type=KEY_NAME)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
def revoke(key: str, *, yes: bool, as_json: bool) -> None:
    """Revoke KEY (a prefix) immediately. This cannot be undone."""
    with open_admin() as admin:
        record = admin.find_key(key)
        if not yes:
            click.confirm(f"Revoke {record.prefix}…? This cannot be undone.", abort=True, err=True)
        admin.store.revoke_key(record.account_id, record.digest)
        show(_row(admin.find_key(key), admin.now_us), as_json=as_json)


def _show_issued(admin: AccountAdmin, text: str, record: KeyRecord, *, as_json: bool) -> None:
    account = admin.store.read_account(record.account_id, now_us=admin.now_us)
    more = {
        "balance": credits_number(account.balance),
        "stored_in": accounts_location(load_settings().accounts),
    }
    show({"key": text, **_row(record, admin.now_us), **more}, as_json=as_json)
    if record.kind is KeyKind.LIVE and not account.balance and not as_json:
        command = f"{shlex.quote(command_name())} accounts top-up {account.account_id} 500"
        click.echo(f"The account has no credits. To add credits, run: {command}", err=True)


def _limit(rate: int | None, burst: int | None) -> RateLimit:
    settings = load_settings()
    per_minute = rate or settings.rate_per_minute
    return RateLimit(per_minute, burst or min(rate or settings.rate_burst, MAX_BURST))


def _row(key: KeyRecord, now_us: Instant) -> dict[str, Any]:
    return {
        "prefix": key.prefix,
        "account": key.account_id,
        "kind": key.kind.value,
        "status": _status(key, now_us),
        "expires": None if key.expires_us is None else rfc3339(key.expires_us),
        "per_minute": key.limit.per_minute,
        "burst": key.limit.burst,
    }


def _status(key: KeyRecord, now_us: Instant) -> str:
    if key.revoked:
        return "revoked"
    return "valid" if key.is_valid(now_us) else "expired"

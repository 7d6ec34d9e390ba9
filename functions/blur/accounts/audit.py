"""The audit: checks the sums of each account, such as granted - used = balance + held.

The audit can run while the service charges calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blur.accounts.usage import UsageDiffersError, bill_lines
from blur.credits import Credits, format_credits

if TYPE_CHECKING:
    from blur.accounts.model import Account, AccountUsage, Instant, LedgerEntry
    from blur.accounts.ports import AccountStore


@dataclass(frozen=True, slots=True)
class Difference:
    """One wrong sum of an account: the account's id, and a sentence that describes the error."""

    account_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of an audit, or of one part of an audit."""

    accounts: int
    """The number of accounts whose ledgers were checked."""
    differences: tuple[Difference, ...]


def audit_account(store: AccountStore, account_id: str, *, now_us: Instant) -> Audit:
    """Check one account and its ledger.

    Raises:
        UnknownAccountError: the account does not exist.

    """
    read = store.read_with_ledger(account_id, now_us=now_us)
    found = differences(read.account, read.entries)
    return Audit(1, tuple(Difference(account_id, text) for text in found))


def audit_each(store: AccountStore, months: Iterable[str], *, now_us: Instant) -> Iterator[Audit]:
    """Check the ledgers of all accounts, and the bills of all accounts for these months.

    Yield the result of each bill first, then the result of each account. The caller gets each
    result immediately, so it has the earlier results even if a later account cannot be read. The
    ids of the accounts come from the bills, so `months` needs at least one month.
    """
    ids: set[str] = set()
    for month in months:
        for account in store.list_usage(month, now_us=now_us):
            ids.add(account.account_id)
            yield Audit(0, tuple(_differing_bill(account, month)))
    for account_id in sorted(ids):
        yield audit_account(store, account_id, now_us=now_us)


def _differing_bill(account: AccountUsage, month: str) -> Iterator[Difference]:
    try:
        list(bill_lines(account))
    except UsageDiffersError as error:
        yield Difference(account.account_id, f"{month}: {error}")


def differences(account: Account, entries: Iterable[LedgerEntry]) -> Iterator[str]:
    """Yield a sentence for each wrong sum, or nothing if all sums of the account are right."""
    entries_sum = sum(entry.credits for entry in entries)
    months_sum = sum(month.credits for month in account.usage.values())
    granted, used, balance, held, in_ledger, in_months = map(
        format_credits,
        (
            account.granted,
            account.used,
            account.balance,
            account.held,
            Credits(entries_sum),
            Credits(months_sum),
        ),
    )
    if entries_sum != account.granted:
        yield f"the ledger's entries add up to {in_ledger}, but the account was granted {granted}"
    if months_sum != account.used:
        yield f"the usage of all months adds up to {in_months}, but the account used {used}"
    if account.granted - account.used != account.balance + account.held:
        yield f"granted {granted} - used {used} is not equal to balance {balance} + held {held}"
    if account.balance < 0:
        yield f"the balance is {balance}"

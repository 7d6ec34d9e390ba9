"""The audit: granted - used = balance + held, for every account at any instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from blur.credits import Credits, format_credits

if TYPE_CHECKING:
    from blur.accounts.model import Account, LedgerEntry


def differences(account: Account, entries: Iterable[LedgerEntry]) -> Iterator[str]:
    """Yield a sentence for each sum that differs; none if the account is exact."""
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
        yield f"the ledger's entries sum to {in_ledger}, the account was granted {granted}"
    if months_sum != account.used:
        yield f"the months' usage sums to {in_months}, the account used {used}"
    if account.granted - account.used != account.balance + account.held:
        yield f"granted {granted} - used {used} is not balance {balance} + held {held}"
    if account.balance < 0:
        yield f"the balance is {balance}"

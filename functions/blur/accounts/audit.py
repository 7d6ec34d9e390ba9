"""The audit: granted - used = balance + held, for every account at any instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blur.accounts.model import Account, LedgerEntry


def differences(account: Account, entries: Iterable[LedgerEntry]) -> Iterator[str]:
    """Yield a sentence for each sum that differs; none if the account is exact."""
    ledger_sum = sum(entry.credits for entry in entries)
    used = sum(month.credits for month in account.usage.values())
    if ledger_sum != account.granted:
        yield f"the ledger's entries sum to {ledger_sum}, the account was granted {account.granted}"
    if used != account.used:
        yield f"the months' usage sums to {used}, the account used {account.used}"
    if account.granted - account.used != account.balance + account.held:
        yield (
            f"granted {account.granted} - used {account.used} is not "
            f"balance {account.balance} + held {account.held}"
        )
    if account.balance < 0:
        yield f"the balance is {account.balance}"

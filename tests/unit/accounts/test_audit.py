"""The audit's report of sums that differ."""

from __future__ import annotations

from dataclasses import replace

from blur.accounts.audit import differences
from blur.accounts.model import Account, EntryKind, Instant, LedgerEntry, Usage

EXACT = Account(
    account_id="a",
    name="",
    created_us=Instant(0),
    balance=6,
    held=1,
    granted=10,
    used=3,
    usage={"2026-10": Usage(1, 1), "2026-11": Usage(2, 2)},
)
ENTRIES = [
    LedgerEntry("1", "a", EntryKind.GRANT, 12, Instant(1)),
    LedgerEntry("2", "a", EntryKind.ADJUSTMENT, -2, Instant(2)),
]


def test_an_exact_account_has_no_differences() -> None:
    assert list(differences(EXACT, ENTRIES)) == []


def test_an_account_with_all_credits_used_or_held_is_exact() -> None:
    assert list(differences(replace(EXACT, balance=0, held=7), ENTRIES)) == []


def test_each_kind_of_difference_is_reported() -> None:
    assert "ledger's entries sum to 12" in next(differences(EXACT, ENTRIES[:1]))
    assert "months' usage sums to 1" in next(
        differences(replace(EXACT, usage={"2026-10": Usage(1, 1)}), ENTRIES)
    )
    assert next(differences(replace(EXACT, balance=7), ENTRIES)) == (
        "granted 10 - used 3 is not balance 7 + held 1"
    )
    assert "balance is -1" in next(differences(replace(EXACT, balance=-1, held=8), ENTRIES))

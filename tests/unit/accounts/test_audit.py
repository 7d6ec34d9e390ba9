"""How the audit reports sums that differ."""

from __future__ import annotations

from dataclasses import replace

from blur.accounts.audit import differences
from blur.accounts.model import Account, EntryKind, Instant, LedgerEntry, Usage
from blur.credits import QUARTER, ZERO, Credits, whole

EXACT = Account(
    account_id="a",
    name="",
    created_us=Instant(0),
    balance=whole(6),
    held=QUARTER,
    granted=whole(10),
    used=Credits(15),
    usage={"2026-10": Usage(1, whole(1)), "2026-11": Usage(2, Credits(11))},
)
ENTRIES = [
    LedgerEntry("1", "a", EntryKind.GRANT, whole(12), Instant(1)),
    LedgerEntry("2", "a", EntryKind.ADJUSTMENT, whole(-2), Instant(2)),
]


def test_a_correct_account_has_no_differences() -> None:
    assert list(differences(EXACT, ENTRIES)) == []


def test_an_account_with_used_and_held_credits_but_no_balance_has_no_differences() -> None:
    assert list(differences(replace(EXACT, balance=ZERO, held=Credits(25)), ENTRIES)) == []


def test_each_kind_of_difference_is_reported_in_credits() -> None:
    assert next(differences(EXACT, ENTRIES[:1])) == (
        "the ledger's entries add up to 12, but the account was granted 10"
    )
    assert next(differences(replace(EXACT, usage={"2026-10": Usage(1, QUARTER)}), ENTRIES)) == (
        "the usage of all months adds up to 0.25, but the account used 3.75"
    )
    assert next(differences(replace(EXACT, balance=Credits(25)), ENTRIES)) == (
        "granted 10 - used 3.75 is not equal to balance 6.25 + held 0.25"
    )
    negative = replace(EXACT, balance=Credits(-1), held=Credits(26))
    assert next(differences(negative, ENTRIES)) == "the balance is -0.25"

"""The lines of a bill, and the list of the busiest accounts."""

from __future__ import annotations

import pytest

from blur.accounts.model import AccountUsage, KeyCounts, KeyKind, KeyUsage, Usage
from blur.accounts.usage import UsageDiffersError, activities, bill_lines, joined_months
from blur.credits import ONE, ZERO, Credits

LIVE = KeyUsage("bb_live_a", KeyKind.LIVE, KeyCounts(3, Credits(9), 2_000_000, 1))
TEST = KeyUsage("bb_test_a", KeyKind.TEST, KeyCounts(2, ZERO, 1_000_000, 0))


def account(
    *keys: KeyUsage, name: str = "a", total: Usage | None = None, held: Credits = ZERO
) -> AccountUsage:
    calls = sum(key.counts.calls for key in keys)
    credits_ = Credits(sum(key.counts.credits for key in keys))
    return AccountUsage(name, name, ONE, held, total or Usage(calls, credits_), keys)


def test_a_bill_has_a_line_for_each_key() -> None:
    lines = list(bill_lines(account(LIVE, TEST)))
    assert [(line.prefix, line.kind, line.counts) for line in lines] == [
        ("bb_live_a", KeyKind.LIVE, LIVE.counts),
        ("bb_test_a", KeyKind.TEST, TEST.counts),
    ]


def test_calls_counted_by_older_versions_get_a_line_of_the_bill_without_a_key() -> None:
    *_, rest = bill_lines(account(LIVE, total=Usage(5, Credits(12))))
    assert (rest.prefix, rest.kind) == (None, None)
    assert rest.counts == KeyCounts(2, Credits(3), 0, 0)


@pytest.mark.parametrize(
    "total", [Usage(3, Credits(8)), Usage(2, Credits(9)), Usage(3, Credits(10))]
)
def test_a_total_that_contradicts_the_usage_of_the_keys_is_an_error(
    total: Usage,
) -> None:
    with pytest.raises(UsageDiffersError, match="differs"):
        list(bill_lines(account(LIVE, total=total)))


def test_the_bill_of_an_account_without_calls_has_no_lines() -> None:
    assert list(bill_lines(account())) == []


def busy(name: str, calls: int, failures: int = 0, held: Credits = ZERO) -> AccountUsage:
    counts = KeyCounts(calls, Credits(4 * calls), 1_000 * calls, failures)
    return account(KeyUsage("p", KeyKind.LIVE, counts), name=name, held=held)


def test_accounts_are_sorted_by_their_calls_and_failures_between_two_readings_of_the_usage() -> (
    None
):
    before = [busy("large", 1_000), busy("small", 10), busy("failing", 0)]
    after = [busy("large", 1_001), busy("small", 15), busy("failing", 0, failures=9)]
    found = activities(before, after)
    assert [(each.account.account_id, each.counts.calls) for each in found] == [
        ("failing", 0),
        ("small", 5),
        ("large", 1),
    ]
    assert found[1].counts == KeyCounts(5, Credits(20), 5_000, 0)


def test_an_account_without_new_calls_is_active_only_if_it_has_held_credits() -> None:
    accounts = [busy("idle", 7), busy("running", 7, held=ONE)]
    assert [each.account.account_id for each in activities(accounts, accounts)] == ["running"]


def test_all_calls_of_an_account_that_is_new_since_the_first_reading_are_counted() -> None:
    (found,) = activities([], [busy("new", 2)])
    assert found.counts.calls == 2


def test_if_a_month_ends_between_two_readings_the_calls_of_both_months_are_counted() -> None:
    before = [busy("a", 10), busy("b", 10)]
    old, new = [busy("a", 12), busy("b", 10)], [busy("a", 3), busy("b", 0), busy("new", 1)]
    found = activities(before, joined_months(old, new))
    assert [(each.account.account_id, each.counts.calls) for each in found] == [
        ("a", 5),
        ("new", 1),
    ]
    assert [each.account.total.calls for each in found] == [3, 1]  # the calls of the new month

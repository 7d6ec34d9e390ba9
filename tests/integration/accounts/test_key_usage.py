"""The usage of each key by month, on both stores. The sum over the keys is the account's usage."""

from __future__ import annotations

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from tests.integration.accounts.customer import (
    START,
    Customer,
    MakeAccount,
    after,
    key_record,
    take_hold,
)
from tests.integration.accounts.spending import now

from bgblur.usage_commands import top, usage
from blur.accounts.audit import differences
from blur.accounts.model import SECOND_US, AccountUsage, Instant, KeyCounts, KeyKind, usage_month
from blur.credits import ZERO, Credits

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore

JANUARY, FEBRUARY = "2027-01", "2027-02"
MONTH_S = 31 * 24 * 3600
DAY_S = 24 * 3600


def usage_of(store: AccountStore, customer: Customer, month: str, now_us: Instant) -> AccountUsage:
    """Check that the usage of the keys adds up to the audited usage; return the account's usage."""
    found = {each.account_id: each for each in store.list_usage(month, now_us=now_us)}
    read = store.read_with_ledger(customer.account_id, now_us=now_us)
    assert list(differences(read.account, read.entries)) == []
    one = found[customer.account_id]
    months = read.account.usage
    if month in months:
        assert one.total == months[month]
        assert sum(key.counts.credits for key in one.keys) == months[month].credits
        assert sum(key.counts.calls for key in one.keys) == months[month].calls
    return one


def counts_of(store: AccountStore, customer: Customer, month: str, now_us: Instant) -> KeyCounts:
    (key,) = usage_of(store, customer, month, now_us).keys
    return key.counts


def test_a_settled_call_counts_once_with_its_credits_and_pixels(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=100)
    hold = take_hold(store, customer, 3, now_us=START)
    for _ in range(3):
        store.settle(hold, now_us=after(1), pixels=2_000_000)
    store.settle(take_hold(store, customer, 1, now_us=after(2)), now_us=after(3), pixels=500)
    expected = KeyCounts(2, Credits(4), 2_000_500, 0)
    assert counts_of(store, customer, JANUARY, after(4)) == expected


def test_refund_of_a_failed_call_counts_one_failure_and_other_refunds_count_nothing(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=100)
    hold = take_hold(store, customer, 3, now_us=START)
    for _ in range(3):
        store.refund(hold, now_us=after(1), failed=True)
    store.refund(take_hold(store, customer, 1, now_us=after(2)), now_us=after(3))
    assert counts_of(store, customer, JANUARY, after(4)) == KeyCounts(0, ZERO, 0, 1)


def test_call_that_ends_after_the_expiry_of_its_hold_adds_no_usage(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=100)
    store.settle(take_hold(store, customer, 3, now_us=START), now_us=after(61), pixels=7)
    late = usage_of(store, customer, JANUARY, after(62))
    assert late.keys == ()
    assert late.total.calls == 0


def test_each_key_has_its_own_usage_even_after_it_is_revoked(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=100)
    test_key = key_record(customer.account_id, KeyKind.TEST, created_us=after(1))
    store.add_key(test_key, now_us=after(1))
    tester = Customer(customer.account_id, test_key.digest)
    for number in range(3):
        hold = take_hold(store, tester, 0, now_us=after(number))
        store.settle(hold, now_us=after(number), pixels=10)
    store.settle(take_hold(store, customer, 5, now_us=after(4)), now_us=after(4), pixels=1)
    store.revoke_key(customer.account_id, test_key.digest)
    store.settle(take_hold(store, customer, 5, now_us=after(5)), now_us=after(5), pixels=1)
    live, test = usage_of(store, customer, JANUARY, after(6)).keys
    assert (live.kind, live.counts) == (KeyKind.LIVE, KeyCounts(2, Credits(10), 2, 0))
    assert (test.prefix, test.counts) == (test_key.prefix, KeyCounts(3, ZERO, 30, 0))


def test_new_calls_do_not_change_a_past_month_and_late_calls_are_added_to_the_past_month(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=100)
    late = take_hold(store, customer, 7, now_us=START)
    hold = take_hold(store, customer, 2, now_us=START)
    store.settle(hold, now_us=after(1), pixels=100)
    for number in range(3):
        at_us = after(MONTH_S + number * DAY_S)
        later = take_hold(store, customer, 1, now_us=at_us)
        store.settle(later, now_us=at_us, pixels=1)
        assert counts_of(store, customer, JANUARY, at_us) == KeyCounts(1, Credits(2), 100, 0)
        expected = KeyCounts(number + 1, Credits(number + 1), number + 1, 0)
        assert counts_of(store, customer, FEBRUARY, at_us) == expected
    # A server with a clock that is a month behind cannot charge a call after its hold was released.
    store.settle(late, now_us=after(2), pixels=100)
    assert counts_of(store, customer, JANUARY, after(2 * MONTH_S)).calls == 1
    slow = take_hold(store, customer, 4, now_us=after(3))
    store.settle(slow, now_us=after(4), pixels=1_000)
    for at_us in (after(MONTH_S + 4 * DAY_S), after(MONTH_S + 5 * DAY_S)):
        assert counts_of(store, customer, JANUARY, at_us) == KeyCounts(2, Credits(6), 1_100, 0)
        store.settle(take_hold(store, customer, 1, now_us=at_us), now_us=at_us)


def test_concurrent_calls_in_february_are_counted_exactly_and_only_in_february(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=1_000)
    store.settle(take_hold(store, customer, now_us=START), now_us=START, pixels=1)

    def call(number: int) -> None:
        at_us = Instant(after(MONTH_S) + number * SECOND_US)
        store.settle(take_hold(store, customer, now_us=at_us), now_us=at_us, pixels=1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(call, range(24)))
    end_us = after(MONTH_S + 100)
    assert counts_of(store, customer, JANUARY, end_us) == KeyCounts(1, Credits(1), 1, 0)
    assert counts_of(store, customer, FEBRUARY, end_us) == KeyCounts(24, Credits(24), 24, 0)


def test_the_commands_usage_and_top_print_the_calls_of_an_account(
    store: AccountStore,
    location: str,
    make_account: MakeAccount,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BLUR_ACCOUNTS", location)
    customer = make_account(credits=100)
    hold = take_hold(store, customer, 3, now_us=now())
    store.settle(hold, now_us=now(), pixels=1_500_000)
    month = usage_month(now())
    printed = CliRunner().invoke(usage, ["--month", month, "--csv"])
    assert printed.exit_code == 0, printed.output
    rows = {row["account"]: row for row in csv.DictReader(io.StringIO(printed.output))}
    row = rows[customer.account_id]
    assert (row["calls"], row["credits"], row["megapixels"]) == ("1", "0.75", "1.5")
    assert (row["month"], row["kind"], row["failures"]) == (month, "live", "0")
    document = json.loads(CliRunner().invoke(usage, ["--json"]).output)
    assert customer.account_id in {each["account"] for each in document}
    take_hold(store, customer, 4, now_us=now())
    busiest = CliRunner().invoke(top, ["--seconds", "1", "--limit", "100000", "--json"])
    assert busiest.exit_code == 0, busiest.output
    held = {each["account"]: each["held"] for each in json.loads(busiest.output)}
    assert held[customer.account_id] == 1


@pytest.mark.parametrize("month", ["2026", "2026-13", "november", "2026-11-01"])
def test_usage_with_an_invalid_month_is_rejected_with_an_example(month: str) -> None:
    printed = CliRunner().invoke(usage, ["--month", month])
    assert printed.exit_code == 2
    assert "2026-11" in printed.output

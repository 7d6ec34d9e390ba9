"""Races: concurrent threads and processes neither lose nor create credits."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import (
    START,
    Customer,
    MakeAccount,
    after,
    entry,
    key_record,
    take_hold,
)
from tests.integration.accounts.spending import Traffic, now, spend_in_threads, with_retries

from blur.account_status import RateLimit
from blur.accounts.admin_errors import OverdrawnError, TooManyKeysError
from blur.accounts.audit import differences
from blur.accounts.model import EntryKind, Usage
from blur.credits import ONE, QUARTER, ZERO
from blur.errors import RateLimitError

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

    from blur.accounts.ports import AccountStore

CREDITS = 200
PROCESSES = 2
THREADS = 16
"""With 64 threads, requests would wait in DynamoDB Local for longer than the dedup window on a busy
machine, and some would be counted twice."""


Spend = Callable[[Customer, Traffic], int]


@pytest.fixture
def spend_in_processes(processes: ProcessPoolExecutor, location: str) -> Spend:
    """Return a function that spends all credits in two processes and returns the charged amount."""

    def spend(customer: Customer, traffic: Traffic) -> int:
        spenders = [
            processes.submit(spend_in_threads, location, customer, THREADS, seed, traffic)
            for seed in range(PROCESSES)
        ]
        return sum(spender.result() for spender in spenders)

    return spend


@pytest.mark.parametrize("duplicates", [0, 0.3], ids=["once", "repeated"])
def test_two_processes_with_many_threads_charge_exactly_the_credits_of_the_account(
    store: AccountStore, spend_in_processes: Spend, make_account: MakeAccount, duplicates: float
) -> None:
    customer = make_account(credits=CREDITS)
    assert spend_in_processes(customer, Traffic(duplicates=duplicates)) == CREDITS
    account = store.read_account(customer.account_id, now_us=now())
    assert (account.balance, account.held, account.used) == (0, 0, CREDITS)
    assert sum(month.calls for month in account.usage.values()) == CREDITS
    assert list(differences(account, store.list_entries(customer.account_id))) == []


def test_two_processes_with_mixed_prices_charge_exactly_the_credits_of_the_account(
    store: AccountStore, spend_in_processes: Spend, make_account: MakeAccount
) -> None:
    customer, prices = make_account(credits=CREDITS), (QUARTER, 3 * QUARTER, ONE)
    charged = spend_in_processes(customer, Traffic(prices, duplicates=0.3))
    account = store.read_account(customer.account_id, now_us=now())
    assert (account.balance, charged) == (0, CREDITS)
    assert (account.held, account.used) == (0, charged)
    assert sum(month.credits for month in account.usage.values()) == charged
    assert list(differences(account, store.list_entries(customer.account_id))) == []


def test_credits_are_reserved_once_if_32_threads_reserve_the_same_hold_at_the_same_time(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=100, limit=RateLimit(per_minute=60, burst=10))
    reserve = partial(store.reserve, customer.hold(7), now_us=START)
    with ThreadPoolExecutor(32) as pool:
        statuses = set(pool.map(lambda _: with_retries(reserve), range(32)))
    assert len(statuses) == 1
    account = store.read_account(customer.account_id, now_us=START)
    assert (account.balance, account.held) == (93, 7)
    assert store.reserve(customer.hold(), now_us=START).rate.remaining == 8


def test_a_hold_settled_and_refunded_at_the_same_time_is_either_charged_or_refunded(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=100)
    holds = [take_hold(store, customer, 5, now_us=START) for _ in range(10)]
    with ThreadPoolExecutor(32) as pool:
        endings = [
            pool.submit(with_retries, partial(end, hold, now_us=after(1)))
            for hold in holds
            for end in (store.settle, store.refund, store.settle, store.refund)
        ]
        for ending in endings:
            ending.result()
    account = store.read_account(customer.account_id, now_us=after(1))
    calls = account.usage.get("2027-01", Usage(0, ZERO)).calls
    assert (account.held, account.used) == (0, 5 * calls)
    assert account.balance == 100 - 5 * calls


def test_exactly_20_of_60_simultaneous_requests_are_accepted_with_a_burst_of_20(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(limit=RateLimit(per_minute=60, burst=20))

    def is_accepted(_: int) -> bool:
        try:
            with_retries(partial(store.reserve, customer.hold(0), now_us=START))
        except RateLimitError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(is_accepted, range(60))) == 20


def test_an_account_and_its_ledger_agree_if_they_are_read_together_during_writes(
    store: AccountStore, make_account: MakeAccount
) -> None:
    customer = make_account(credits=100)
    account_id, over = customer.account_id, Event()

    def top_up() -> None:
        while not over.is_set():
            with_retries(partial(store.append_entry, entry(account_id, 3)))
            with_retries(partial(store.append_entry, entry(account_id, -1, EntryKind.ADJUSTMENT)))

    def call() -> None:
        while not over.is_set():
            hold = customer.hold()
            with_retries(partial(store.reserve, hold, now_us=START))
            with_retries(partial(store.settle, hold, now_us=after(1)))

    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(work) for work in (top_up, top_up, call)]
        read = partial(store.read_with_ledger, account_id, now_us=after(1))
        try:
            seen = [with_retries(read) for _ in range(40)]
            deadline = time.monotonic() + 30
            while len({snapshot.entries for snapshot in seen}) == 1 and time.monotonic() < deadline:
                seen.append(with_retries(read))
        finally:
            over.set()
        for writer in writers:
            writer.result()
    for snapshot in seen:
        assert list(differences(snapshot.account, snapshot.entries)) == []
    assert len({snapshot.entries for snapshot in seen}) > 1


def test_balance_and_ledger_agree_after_concurrent_and_repeated_entries(
    store: AccountStore, make_account: MakeAccount
) -> None:
    account_id = make_account(credits=10).account_id
    lines = [entry(account_id, 1) for _ in range(20)]
    lines += [entry(account_id, -3, EntryKind.ADJUSTMENT) for _ in range(20)]

    def credits_entered(number: int) -> int:
        line = lines[number // 2]
        try:
            with_retries(partial(store.append_entry, line))
        except OverdrawnError:
            return 0
        return line.credits if number % 2 else 0

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(credits_entered, range(2 * len(lines))))
    account = store.read_account(account_id, now_us=START)
    written = list(store.list_entries(account_id))
    assert list(differences(account, written)) == []
    assert account.balance == account.granted == sum(line.credits for line in written)
    assert len({line.entry_id for line in written}) == len(written)


def test_if_12_keys_are_added_at_the_same_time_to_an_account_with_one_key_only_one_is_stored(
    store: AccountStore, make_account: MakeAccount
) -> None:
    account_id = make_account().account_id

    def is_added(_: int) -> bool:
        try:
            store.add_key(key_record(account_id), now_us=START)
        except TooManyKeysError:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(is_added, range(12))) == 1
    assert len(store.read_account(account_id, now_us=START).keys) == 2

"""Locked files, damaged files and full disks: the SQLite store fails and charges nothing."""

from __future__ import annotations

import multiprocessing
import resource
import signal
import sqlite3
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.integration.accounts.customer import (
    START,
    Customer,
    entry,
    open_account,
    take_hold,
)
from tests.integration.accounts.new_file import path, store

from blur.accounts.admin_errors import InvalidArgumentError, UnknownAccountError
from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.errors import UnavailableError

__all__ = ["path", "store"]  # the tests use these fixtures

TWO_SECONDS = 2.0
spawn = multiprocessing.get_context("spawn")


def test_a_call_on_a_locked_file_fails_within_two_seconds(
    store: SqliteAccountStore, path: Path
) -> None:
    customer = open_account(store, credits=10)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(UnavailableError) as refusal:
        store.reserve(customer.hold(), now_us=START)
    assert time.monotonic() - began < TWO_SECONDS
    assert refusal.value.retry_after_s == 1
    assert "Nothing was charged" in refusal.value.message
    assert isinstance(refusal.value.__cause__, sqlite3.OperationalError)
    other.execute("ROLLBACK")
    other.close()
    assert store.read_account(customer.account_id, now_us=START).balance == 10
    assert store.reserve(customer.hold(), now_us=START).credits_left == 9


def test_all_threads_that_wait_for_a_locked_file_fail_within_two_seconds(
    store: SqliteAccountStore, path: Path
) -> None:
    customer = open_account(store, credits=10)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def seconds_to_refusal(_: int) -> float:
        began = time.monotonic()
        with pytest.raises(UnavailableError):
            store.reserve(customer.hold(), now_us=START)
        return time.monotonic() - began

    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(seconds_to_refusal, range(8))) < TWO_SECONDS
    other.execute("ROLLBACK")
    other.close()
    assert store.read_account(customer.account_id, now_us=START).balance == 10


def test_a_call_waits_until_a_lock_is_released_and_then_succeeds(
    store: SqliteAccountStore, path: Path
) -> None:
    customer = open_account(store, credits=10)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(store.reserve, customer.hold(), now_us=START)
        time.sleep(0.3)
        assert not waiting.done()
        other.execute("ROLLBACK")
        assert waiting.result().credits_left == 9
    other.close()


def test_a_reader_does_not_wait_for_a_writer(store: SqliteAccountStore, path: Path) -> None:
    customer = open_account(store, credits=10)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert store.find_record(customer.account_id, "5" * 64, now_us=START) is None
    assert [line.credits for line in store.list_entries(customer.account_id)] == [10]
    other.execute("ROLLBACK")
    other.close()


def test_a_file_that_is_not_a_database_is_reported_as_unavailable_and_not_changed(
    store: SqliteAccountStore, path: Path
) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"my shopping list\n" * 100)
    with pytest.raises(UnavailableError) as refusal:
        store.read_account("NewAccount01", now_us=START)
    assert isinstance(refusal.value.__cause__, sqlite3.DatabaseError)
    assert path.read_bytes() == b"my shopping list\n" * 100


def test_a_damaged_file_is_reported_as_unavailable_and_a_restored_file_works(
    store: SqliteAccountStore, path: Path
) -> None:
    customer = open_account(store, credits=10)
    store.close()
    sound = path.read_bytes()
    path.write_bytes(sound[:4096] + b"\xa5" * (len(sound) - 4096))
    with pytest.raises(UnavailableError) as refusal:
        store.reserve(customer.hold(), now_us=START)
    assert isinstance(refusal.value.__cause__, sqlite3.DatabaseError)
    path.write_bytes(sound)
    assert store.read_account(customer.account_id, now_us=START).balance == 10


def test_a_folder_that_cannot_be_created_is_reported_as_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = SqliteAccountStore(tmp_path / "file" / "accounts.db")
    with pytest.raises(UnavailableError) as refusal:
        store.read_account("NewAccount01", now_us=START)
    assert isinstance(refusal.value.__cause__, OSError)


def reserve_on_a_full_disk(path: Path, customer: Customer) -> str:
    """Reserve credits while no file can grow, as on a full disk; return the first error's name."""
    store = SqliteAccountStore(path)
    store.read_account(customer.account_id, now_us=START)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    largest = max(file.stat().st_size for file in path.parent.iterdir() if "-shm" not in file.name)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
    outcome = "reserved"
    for _ in range(50):
        try:
            store.reserve(customer.hold(), now_us=START)
        except UnavailableError as error:
            outcome = type(error.__cause__).__name__
            break
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    store.close()
    return outcome


def test_a_full_disk_is_reported_as_unavailable_and_charges_nothing(
    store: SqliteAccountStore, path: Path
) -> None:
    customer = open_account(store, credits=100)
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        outcome = pool.submit(reserve_on_a_full_disk, path, customer).result()
    assert outcome == "OperationalError"
    account = store.read_account(customer.account_id, now_us=START)
    assert account.balance + account.held == 100
    assert store.reserve(customer.hold(), now_us=START).credits_left < 100


def test_a_grant_of_the_largest_64_bit_number_is_rejected_and_changes_nothing(
    store: SqliteAccountStore,
) -> None:
    customer = open_account(store, credits=10)
    with pytest.raises(InvalidArgumentError, match="the credits must be a number"):
        store.append_entry(entry(customer.account_id, 2**63 - 1))
    account = store.read_account(customer.account_id, now_us=START)
    assert (account.balance, account.granted) == (10, 10)
    assert [line.credits for line in store.list_entries(customer.account_id)] == [10]


def test_settling_a_hold_of_an_unknown_account_raises_unknown_account_error(
    store: SqliteAccountStore, tmp_path: Path
) -> None:
    elsewhere = SqliteAccountStore(tmp_path / "elsewhere.db")
    hold = take_hold(elsewhere, open_account(elsewhere), now_us=START)
    with pytest.raises(UnknownAccountError):
        store.settle(hold, now_us=START)
    elsewhere.close()

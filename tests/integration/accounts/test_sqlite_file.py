"""The SQLite store's file, opened by many processes, and by processes that are killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from tests.faults.disks import full_by_limit, locked
from tests.integration.accounts.customer import START, TTL_US, after, open_account, take_hold
from tests.integration.accounts.new_file import path, store

from blur.accounts.audit import differences
from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.accounts.sqlite.schema import ADDED_COLUMNS, MIGRATIONS
from blur.errors import UnavailableError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["path", "store"]  # the tests use these fixtures

spawn = multiprocessing.get_context("spawn")


def file_names(path: Path) -> set[str]:
    return {file.name for file in path.parent.iterdir()}


def test_opening_a_store_writes_nothing_before_its_first_use(path: Path) -> None:
    unused = SqliteAccountStore(path)
    assert not path.parent.exists()
    unused.close()
    assert not path.parent.exists()


READS = """
import sys
from pathlib import Path
from blur.accounts.sqlite.account_store import SqliteAccountStore
store = SqliteAccountStore(Path(sys.argv[1]))
print(*[account.name for account in store.list_accounts(now_us=0)])
store.close()
"""
"""Prints the names of all accounts, and closes the file. If no other process has the file open,
SQLite then removes the write-ahead log."""


def test_the_second_connection_of_a_process_keeps_the_write_ahead_log_of_the_first_connection(
    path: Path, store: SqliteAccountStore
) -> None:
    store.create_account("a", "one", now_us=START)
    second = SqliteAccountStore(path)
    second.create_account("b", "two", now_us=START)
    names = ["one", "two"]
    for number, opened in enumerate((store, second, store, second)):
        read = subprocess.run(
            [sys.executable, "-c", READS, str(path)], capture_output=True, text=True, check=True
        )
        assert sorted(read.stdout.split()) == sorted(names)
        names.append(f"later-{number}")
        opened.create_account(names[-1], names[-1], now_us=START)
    assert len(list(store.list_accounts(now_us=START))) == len(names)
    second.close()


def test_importing_the_store_creates_no_file(tmp_path: Path) -> None:
    program = "import blur.accounts.sqlite.account_store, os; print(os.listdir())"
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "[]"


def test_only_the_owner_can_read_the_files(store: SqliteAccountStore, path: Path) -> None:
    open_account(store)
    assert file_names(path) == {"accounts.db", "accounts.db-wal", "accounts.db-shm"}
    for file in path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_file_has_a_write_ahead_log_and_syncs_each_commit(
    store: SqliteAccountStore, path: Path
) -> None:
    open_account(store)
    with store._file.snapshot() as db:  # noqa: SLF001 - only the connection has these settings
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert db.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert path.with_name("accounts.db-wal").exists()


def test_a_reopened_store_has_all_its_data(store: SqliteAccountStore, path: Path) -> None:
    customer = open_account(store, credits=10)
    hold = take_hold(store, customer, 3, now_us=START)
    before = store.read_account(customer.account_id, now_us=START)
    store.close()
    again = SqliteAccountStore(path)
    assert again.read_account(customer.account_id, now_us=START) == before
    assert again.settle(hold, now_us=START).credits_charged == 3
    again.close()


def test_a_closed_store_is_opened_again_when_it_is_used(store: SqliteAccountStore) -> None:
    customer = open_account(store, credits=10)
    store.close()
    store.close()
    assert store.read_account(customer.account_id, now_us=START).balance == 10


def create_one(path: Path, number: int) -> str:
    store = SqliteAccountStore(path)
    try:
        return open_account(store, credits=number).account_id
    finally:
        store.close()


def test_many_processes_and_threads_can_open_a_new_file_at_the_same_time(path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=spawn) as pool:
        processes = [pool.submit(create_one, path, number) for number in range(1, 9)]
        with ThreadPoolExecutor(8) as threads:
            opened = [threads.submit(create_one, path, number) for number in range(9, 17)]
            ids = {future.result() for future in [*processes, *opened]}
    store = SqliteAccountStore(path)
    listed = list(store.list_accounts(now_us=START))
    assert {account.account_id for account in listed} == ids
    assert sorted(account.balance for account in listed) == list(range(1, 17))
    store.close()


def test_a_store_is_unavailable_while_its_file_cannot_be_written(
    store: SqliteAccountStore, path: Path
) -> None:
    customer = open_account(store, credits=10)
    store.require_available()
    with full_by_limit():
        assert store.has_valid_key(customer.account_id, customer.digest, now_us=START)
        with pytest.raises(UnavailableError):
            store.require_available()
    with locked(path), pytest.raises(UnavailableError):
        store.require_available()
    store.require_available()
    assert store.read_account(customer.account_id, now_us=START).balance == 10


def test_a_file_of_a_newer_program_is_rejected_and_not_changed(
    store: SqliteAccountStore, path: Path
) -> None:
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    content = path.read_bytes()
    with pytest.raises(UnavailableError) as refusal:
        store.read_account("NewAccount01", now_us=START)
    assert "newer" in str(refusal.value.__cause__)
    assert path.read_bytes() == content


def test_missing_columns_are_added_without_a_change_of_the_file_version(
    store: SqliteAccountStore, path: Path
) -> None:
    customer = open_account(store, credits=10)
    store.close()
    with sqlite3.connect(path) as file:
        for column in ADDED_COLUMNS["keys"]:
            file.execute(f"ALTER TABLE keys DROP COLUMN {column}")
    file.close()
    store.reserve(customer.hold(), now_us=START)
    store.close()
    with sqlite3.connect(path) as file:
        columns = {row[1] for row in file.execute("PRAGMA table_info(keys)")}
        (version,) = file.execute("PRAGMA user_version").fetchone()
    file.close()
    assert set(ADDED_COLUMNS["keys"]) <= columns
    assert version == len(MIGRATIONS), "the version changed, so older programs reject the file"


SPENDER = """
import sys
from itertools import count
from pathlib import Path
from blur.accounts.sqlite.account_store import SqliteAccountStore
from tests.integration.accounts.customer import START, Customer, take_hold

store = SqliteAccountStore(Path(sys.argv[1]))
customer = Customer(sys.argv[2], sys.argv[3])
for number in count(1):
    hold = take_hold(store, customer, now_us=START)
    if number % 3:
        store.settle(hold, now_us=START)
    print(number - number // 3, flush=True)
"""


def test_a_killed_process_loses_no_call_whose_response_was_sent(
    store: SqliteAccountStore, path: Path
) -> None:
    customer = open_account(store, credits=1_000_000)
    for round_number in range(3):
        used_before = store.read_account(customer.account_id, now_us=START).used
        spender = subprocess.Popen(
            [sys.executable, "-c", SPENDER, str(path), customer.account_id, customer.digest],
            env={"PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert spender.stdout is not None
        answered = 0
        for line in spender.stdout:
            answered = int(line)
            if answered == 20 + round_number:
                spender.send_signal(signal.SIGKILL)
        spender.stdout.close()
        assert spender.wait() == -signal.SIGKILL
        account = store.read_account(customer.account_id, now_us=START)
        assert account.used - used_before - answered in (0, 1)
        assert account.granted - account.used == account.balance + account.held
        assert account.held > 0
    late = store.read_account(customer.account_id, now_us=after(2 * TTL_US / 1_000_000))
    assert late.held == 0
    assert list(differences(late, store.list_entries(customer.account_id))) == []

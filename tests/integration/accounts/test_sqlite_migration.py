"""Files with whole credits are migrated once to quarters of a credit; no amount changes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from tests.integration.accounts.customer import START, Customer, after, entry

from blur.accounts.audit import differences
from blur.accounts.model import EntryKind, Hold, LedgerEntry, Usage
from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.accounts.sqlite.schema import MIGRATIONS
from blur.credits import QUARTER, whole

WHOLE_CREDITS = Path(__file__).with_name("whole_credits.sql")
OLD_VERSIONS = (1, 2)
"""The schema versions that store whole credits. Older versions of the program open files with
either of these schema versions."""
ACCOUNT_ID = "customer0001"
CUSTOMER = Customer(ACCOUNT_ID, "d" * 64)
RUNNING = Hold("running", ACCOUNT_ID, "d" * 64, whole(3), after(60))

spawn = multiprocessing.get_context("spawn")


def write_old_file(path: Path, version: int = OLD_VERSIONS[0]) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.executescript(WHOLE_CREDITS.read_text("utf-8"))
        file.execute(f"PRAGMA user_version = {version}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.db"
    write_old_file(path)
    return path


def require_exact(path: Path) -> None:
    """Migrate the file if necessary, and check all its amounts, in quarters of a credit."""
    with closing(SqliteAccountStore(path)) as store:
        read = store.read_with_ledger(ACCOUNT_ID, now_us=after(2))
        empty = store.read_account("customer0002", now_us=after(2))
    account = read.account
    assert (account.balance, account.held) == (whole(111), whole(3))
    assert (account.granted, account.used) == (whole(117), whole(3))
    assert account.usage == {"2026-12": Usage(1, whole(2)), "2027-01": Usage(1, whole(1))}
    assert [(line.kind, line.credits) for line in read.entries] == [
        (EntryKind.GRANT, whole(100)),
        (EntryKind.TOP_UP, whole(20)),
        (EntryKind.ADJUSTMENT, whole(-3)),
    ]
    assert list(differences(account, read.entries)) == []
    assert (empty.balance, empty.granted, empty.usage) == (0, 0, {})


@pytest.mark.parametrize("version", OLD_VERSIONS)
def test_amounts_in_an_old_file_are_the_same_after_the_migration(
    tmp_path: Path, version: int
) -> None:
    path = tmp_path / f"version{version}.db"
    write_old_file(path, version)
    for _ in range(2):
        require_exact(path)


def test_call_that_an_older_version_started_is_charged_its_price(path: Path) -> None:
    with closing(SqliteAccountStore(path)) as store:
        status = store.settle(RUNNING, now_us=after(3))
        assert (status.credits_charged, status.credits_left) == (whole(3), whole(111))
        record = store.find_record(ACCOUNT_ID, "scope", now_us=after(3))
        assert record is not None
        assert record.hold_id == RUNNING.hold_id


def test_expired_hold_in_an_old_file_returns_its_price_to_the_balance(path: Path) -> None:
    with closing(SqliteAccountStore(path)) as store:
        account = store.read_account(ACCOUNT_ID, now_us=after(120))
    assert (account.balance, account.held) == (whole(114), 0)


def test_a_repeated_entry_from_an_older_version_is_not_added_again(path: Path) -> None:
    invoice = LedgerEntry("invoice-7", ACCOUNT_ID, EntryKind.TOP_UP, whole(20), after(1))
    with closing(SqliteAccountStore(path)) as store:
        store.append_entry(invoice)
    require_exact(path)


def test_a_quarter_of_a_credit_can_be_charged_in_a_file_of_an_older_version(path: Path) -> None:
    with closing(SqliteAccountStore(path)) as store:
        hold = CUSTOMER.hold(QUARTER, now_us=after(3))
        store.reserve(hold, now_us=after(3))
        assert store.settle(hold, now_us=after(3)).credits_left == whole(111) - QUARTER


def test_ledger_of_an_old_file_is_append_only_after_the_migration(path: Path) -> None:
    require_exact(path)
    with (
        closing(sqlite3.connect(path)) as file,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        file.execute("UPDATE entries SET quarters = 0")


def add_a_quarter(path: Path) -> None:
    with closing(SqliteAccountStore(path)) as store:
        store.append_entry(entry(ACCOUNT_ID, QUARTER))


def test_an_old_file_is_migrated_once_if_many_processes_open_it_at_the_same_time(
    path: Path,
) -> None:
    with ProcessPoolExecutor(4, mp_context=spawn) as processes, ThreadPoolExecutor(4) as threads:
        opened = [
            pool.submit(add_a_quarter, path) for _ in range(8) for pool in (processes, threads)
        ]
        for each in opened:
            each.result()
    with closing(SqliteAccountStore(path)) as store:
        read = store.read_with_ledger(ACCOUNT_ID, now_us=after(2))
    assert read.account.balance == whole(111) + 16 * QUARTER
    assert list(differences(read.account, read.entries)) == []


KILLED = """
import os, shutil, signal, sqlite3, sys
from blur.accounts.sqlite.schema import migrate

def migrate_some(path, statements_left):
    def count(statement):
        nonlocal statements_left
        statements_left -= 1
        if statements_left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    connection = sqlite3.connect(path, isolation_level=None)
    connection.set_trace_callback(count)
    migrate(connection)
    os._exit(0)

status, kills = None, 0
while status != 0:
    copy = shutil.copy(sys.argv[1], f"{sys.argv[1]}-{kills}")
    process = os.fork()
    if process == 0:
        migrate_some(copy, kills)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    print(copy, status)
    kills += 1
"""
"""Forks a process for each number of statements; each migrates a copy and is killed after them."""


def test_a_migration_that_is_killed_at_any_statement_is_completed_at_the_next_opening(
    path: Path,
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    *killed, complete = (line.rsplit(" ", 1) for line in ended.stdout.splitlines())
    assert len(killed) > len(MIGRATIONS[-1])
    assert {status for _, status in killed} == {str(-signal.SIGKILL)}
    assert complete[1] == "0"
    for copy, _ in (*killed, complete):
        require_exact(Path(copy))


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as file:
        (version,) = file.execute("PRAGMA user_version").fetchone()
    return int(version)


def test_migrated_file_has_a_higher_version_than_old_programs_accept(path: Path) -> None:
    require_exact(path)
    assert version_of(path) > max(OLD_VERSIONS)


OLD_STATEMENTS = (
    "SELECT keys.*, accounts.balance FROM keys JOIN accounts USING (account_id)",
    "UPDATE accounts SET balance = balance + 1",
    "UPDATE accounts SET used = used + 1",
    "SELECT COALESCE(SUM(price), 0) FROM holds",
    "SELECT month, calls, credits FROM usage",
)
"""SQL of an older version, which counts whole credits. Each of its API calls runs at least one of
these statements."""


@pytest.mark.parametrize("statement", OLD_STATEMENTS)
def test_an_old_program_that_has_the_file_open_cannot_read_or_write_amounts(
    path: Path, statement: str
) -> None:
    with closing(sqlite3.connect(path)) as old_program:
        old_program.execute(statement).fetchall()
        old_program.rollback()
        require_exact(path)
        with pytest.raises(sqlite3.OperationalError, match="no such column"):
            old_program.execute(statement)
    require_exact(path)


def test_a_balance_too_large_to_count_in_quarters_leaves_the_file_unchanged(path: Path) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE accounts SET balance = 1 << 62 WHERE account_id = 'customer0002'")
        file.commit()
    with closing(SqliteAccountStore(path)) as store:
        for _ in range(2):
            with pytest.raises(sqlite3.IntegrityError):
                store.read_account(ACCOUNT_ID, now_us=START)
    assert version_of(path) == OLD_VERSIONS[0]

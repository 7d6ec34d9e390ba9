"""The SQLite store waits for the lock of another connection, but only until a deadline."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
from tests.integration.accounts.customer import START, after, open_account, take_hold

from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.accounts.sqlite.file import open_connection


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "accounts.db"


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> float:
    """Stop the monotonic clock, which deadlines use, and return the clock's time."""
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    return 100.0


def test_opening_a_file_is_retried_until_another_connection_releases_its_lock(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            other.execute("ROLLBACK")

    monkeypatch.setattr(time, "sleep", pause)
    open_connection(path, time.monotonic() + 60).close()
    other.close()
    assert pauses == [0.01] * 3


def test_opening_a_locked_file_is_not_retried_after_the_deadline(
    path: Path, frozen: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("the store waited after the deadline"))
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        open_connection(path, frozen)
    other.close()


@pytest.mark.parametrize(("left_s", "waits_ms"), [(1.5, 1500), (0.0004, 0), (0, 0), (-1, 0)])
def test_busy_timeout_of_a_connection_is_the_time_until_the_deadline(
    path: Path, frozen: float, left_s: float, waits_ms: int
) -> None:
    connection = open_connection(path, frozen + left_s)
    assert connection.execute("PRAGMA busy_timeout").fetchone()[0] == waits_ms
    connection.close()


def test_an_account_without_expired_holds_is_read_while_another_connection_has_the_lock(
    path: Path,
) -> None:
    store = SqliteAccountStore(path)
    customer, expired = open_account(store, 10), open_account(store, 10)
    take_hold(store, customer, 3, now_us=after(3600))
    take_hold(store, expired, 3, now_us=START)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    account = store.read_account(customer.account_id, now_us=after(3600))
    assert (account.balance, account.held) == (7, 3)
    other.close()
    store.close()

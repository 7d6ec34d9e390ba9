"""The one file behind the embedded store: opening it, and transactions that end in time.

WAL lets readers and a writer work at once; `synchronous=FULL` makes every commit reach the
disk before it is answered, so that neither `kill -9` nor a power cut takes a paid call back
(https://www.sqlite.org/pragma.html#pragma_synchronous). Writers start with BEGIN IMMEDIATE:
a transaction that reads first and writes later could not wait for its turn, only fail.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blur.accounts.sqlite.schema import migrate, require_known
from blur.errors import UnavailableError

PATIENCE_S = 1.5
"""Longest wait for other threads and other processes together."""
RETRY_AFTER_S = 1
POLL_S = 0.01


class AccountsFile:
    """A SQLite file shared by the threads of this process and by other processes.

    One connection serves all threads of the process in turn: SQLite has one writer at a time
    anyway, and a thread that waits for a lock wastes less than one that polls a file. A
    process that forks opens a file of its own afterwards.
    """

    def __init__(self, path: Path) -> None:
        """Keep the path; the first transaction creates folder and file."""
        self._path = path
        self._turn = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write: the block is committed as a whole, or after any exception not at all.

        Raises:
            UnavailableError: the file is locked for too long, damaged, or cannot be written.

        """
        with self._begun("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Only read, all from one moment; waits for no other process's writes.

        Raises:
            UnavailableError: as for `transaction`.

        """
        with self._begun("BEGIN DEFERRED") as connection:
            yield connection

    def close(self) -> None:
        """Let go of the file; the next transaction would open it again."""
        with self._turn:
            self._drop()

    @contextmanager
    def _begun(self, begin: str) -> Iterator[sqlite3.Connection]:
        deadline = time.monotonic() + PATIENCE_S
        if not self._turn.acquire(timeout=PATIENCE_S):
            raise _unavailable()
        try:
            connection = self._open(deadline)
            connection.execute(begin)
            yield connection
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            # A new connection finds a file that was repaired or replaced meanwhile.
            self._drop()
            if isinstance(error, _OUR_MISTAKES):
                raise
            raise _unavailable() from error
        finally:
            self._roll_back()
            self._turn.release()

    def _open(self, deadline: float) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = open_connection(self._path, deadline)
        _wait_until(self._connection, deadline)
        return self._connection

    def _roll_back(self) -> None:
        if self._connection is not None and self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                self._drop()

    def _drop(self) -> None:
        """Close the connection, which undoes what it has not committed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


_OUR_MISTAKES = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.InternalError,
    sqlite3.NotSupportedError,
    sqlite3.DataError,
)
"""Errors that trying again does not heal; what is left means the file or its disk."""


def open_connection(path: Path, deadline: float) -> sqlite3.Connection:
    """Open the file, creating it for its owner alone (mode 0600) where it is missing.

    SQLite gives its `-wal` and `-shm` files the same mode.

    Raises:
        sqlite3.Error: the file is no database or still locked at `deadline` (monotonic).
        OSError: folder or file cannot be made.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    try:
        _set_up(connection, deadline)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: sqlite3.Connection, deadline: float) -> None:
    # Changing the journal of a new file does not always wait for the lock, so it is repeated.
    while True:
        _wait_until(connection, deadline)
        try:
            require_known(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(POLL_S)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection)


def _wait_until(connection: sqlite3.Connection, deadline: float) -> None:
    patience_ms = max(0, round((deadline - time.monotonic()) * 1000))
    connection.execute(f"PRAGMA busy_timeout = {patience_ms}")


def _unavailable() -> UnavailableError:
    message = "The accounts cannot be reached at the moment. Nothing was charged."
    return UnavailableError(message, retry_after_s=RETRY_AFTER_S)

"""The embedded store's file: how it is opened, and transactions with a deadline.

With WAL, readers and a writer work at the same time. With `synchronous=FULL`, every commit is on
the disk before the client gets the response, so that neither `kill -9` nor a power cut undoes a
paid call (https://www.sqlite.org/pragma.html#pragma_synchronous). Writers start with BEGIN
IMMEDIATE. With BEGIN DEFERRED, a transaction that reads first and writes later can fail instead of
waiting for the lock.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from blur.accounts.ports import accounts_unreachable
from blur.accounts.sqlite.schema import migrate, require_known

TIMEOUT_S = 1.5
"""The longest total wait, in seconds, for other threads and processes that use the file."""
POLL_S = 0.01


class AccountsFile:
    """A SQLite file shared by the threads of this process and by other processes.

    The threads of the process take turns with one shared connection: SQLite allows one writer at a
    time, and waiting for a lock costs less than polling a file. A connection must not be used after
    a fork, so the embedded server spawns its workers, and each process opens the file itself.
    """

    def __init__(self, path: Path) -> None:
        """Store the path; the first transaction creates the folder and the file."""
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection for writes; commit them after the block, or undo them on an exception.

        Raises:
            UnavailableError: the file is locked for too long, damaged, or cannot be written.

        """
        with self._begin("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection whose reads all use the same snapshot of the file.

        The reads do not wait for writes of other processes.

        Raises:
            UnavailableError: the file is locked for too long, or damaged.

        """
        with self._begin("BEGIN DEFERRED") as connection:
            yield connection

    def close(self) -> None:
        """Close the file; the next transaction opens it again."""
        with self._lock:
            self._drop()

    @contextmanager
    def _begin(self, statement: str) -> Iterator[sqlite3.Connection]:
        deadline = time.monotonic() + TIMEOUT_S
        if not self._lock.acquire(timeout=TIMEOUT_S):
            raise accounts_unreachable()
        try:
            connection = self._open(deadline)
            connection.execute(statement)
            yield connection
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            # The next call opens a new connection, because the file can be repaired or replaced.
            self._drop()
            if isinstance(error, _PROGRAMMING_ERRORS):
                raise
            raise accounts_unreachable() from error
        finally:
            self._roll_back()
            self._lock.release()

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
        """Close the connection, which undoes its uncommitted writes."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


_PROGRAMMING_ERRORS = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.InternalError,
    sqlite3.NotSupportedError,
    sqlite3.DataError,
)
"""Errors in our code; all other errors come from the file or its disk, and a retry can succeed."""


def require_database(path: Path) -> None:
    """Reject a path where no accounts can be stored, such as a wrong path in a setting.

    SQLite opens and closes the file: closing it in any other way would release the locks of this
    process's other connections; see `_create`.

    Raises:
        ValueError: the path is a folder, or the file is not a SQLite database.

    """
    if path.is_dir():
        message = f"{path} is a folder, not a database of accounts."
        raise ValueError(message)
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            message = f"{path} is not a SQLite database."
            raise ValueError(message) from error


def open_connection(path: Path, deadline: float) -> sqlite3.Connection:
    """Open the file, or create it with mode 0600.

    SQLite gives its `-wal` and `-shm` files the same mode.

    Raises: sqlite3.Error: the file is not a database, or is locked until `deadline` (monotonic).
        OSError: the folder or the file cannot be created.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _create(path)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    try:
        _set_up(connection, deadline)
    except BaseException:
        connection.close()
        raise
    return connection


_CREATING = threading.Lock()
"""A thread holds this lock while it creates a file. Other threads connect to the file only after
the thread has closed it."""


def _create(path: Path) -> None:
    """Create the file if it is missing.

    An existing file is not opened: closing it would release the locks of this process's other
    connections (POSIX, fcntl). Another process would then remove the write-ahead log that these
    connections still use. https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
    """
    with _CREATING, suppress(FileExistsError):
        os.close(os.open(path.resolve(), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _set_up(connection: sqlite3.Connection, deadline: float) -> None:
    # `PRAGMA journal_mode` does not always wait for the lock of a new file, so repeat the PRAGMA.
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
    timeout_ms = max(0, round((deadline - time.monotonic()) * 1000))
    connection.execute(f"PRAGMA busy_timeout = {timeout_ms}")

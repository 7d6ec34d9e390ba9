"""The embedded store's tables, and how an older file is brought up to date.

`PRAGMA user_version` counts the steps a file has taken. A step is never edited once it was
released: a change is a new step at the end, and programs that do not know it refuse the file.

A column with a default is not a step: programs that do not know it can go on with the file, so
an update can be undone, and versions can share a file while one replaces the other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

_FIRST = (
    # A sum beyond 64 bits would turn into a float without a word: the checks refuse it.
    """
    CREATE TABLE accounts (
        account_id TEXT PRIMARY KEY,
        name       TEXT NOT NULL,
        created_us INTEGER NOT NULL,
        balance    INTEGER NOT NULL CHECK (typeof(balance) = 'integer' AND balance >= 0),
        granted    INTEGER NOT NULL CHECK (typeof(granted) = 'integer'),
        used       INTEGER NOT NULL CHECK (typeof(used) = 'integer')
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE keys (
        account_id        TEXT NOT NULL REFERENCES accounts,
        digest            TEXT NOT NULL,
        kind              TEXT NOT NULL,
        prefix            TEXT NOT NULL,
        created_us        INTEGER NOT NULL,
        expires_us        INTEGER,
        revoked           INTEGER NOT NULL,
        per_minute        INTEGER NOT NULL,
        burst             INTEGER NOT NULL,
        tat_us            INTEGER NOT NULL DEFAULT 0,
        allow_us          INTEGER NOT NULL DEFAULT 0,
        inquiry_tat_us    INTEGER NOT NULL DEFAULT 0,
        inquiry_allow_us  INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (account_id, digest)
    ) WITHOUT ROWID
    """,
    # A hold that was settled or refunded stays until it would have expired, so that a late
    # repetition of its reserve finds it and takes nothing.
    """
    CREATE TABLE holds (
        account_id TEXT NOT NULL REFERENCES accounts,
        hold_id    TEXT NOT NULL,
        key_digest TEXT NOT NULL,
        price      INTEGER NOT NULL CHECK (price >= 0),
        expires_us INTEGER NOT NULL,
        state      TEXT NOT NULL CHECK (state IN ('held', 'settled', 'refunded')),
        PRIMARY KEY (account_id, hold_id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX holds_by_expiry ON holds (account_id, expires_us)",
    "CREATE INDEX holds_by_state ON holds (account_id, state)",
    """
    CREATE TABLE usage (
        account_id TEXT NOT NULL REFERENCES accounts,
        month      TEXT NOT NULL,
        calls      INTEGER NOT NULL,
        credits    INTEGER NOT NULL,
        PRIMARY KEY (account_id, month)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE entries (
        account_id TEXT NOT NULL REFERENCES accounts,
        entry_id   TEXT NOT NULL,
        kind       TEXT NOT NULL,
        credits    INTEGER NOT NULL,
        at_us      INTEGER NOT NULL,
        note       TEXT NOT NULL,
        PRIMARY KEY (account_id, entry_id)
    ) WITHOUT ROWID
    """,
    """
    CREATE TRIGGER entries_are_not_changed BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
    """,
    """
    CREATE TRIGGER entries_are_not_deleted BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
    """,
    """
    CREATE TABLE records (
        account_id     TEXT NOT NULL,
        scope          TEXT NOT NULL,
        fingerprint    TEXT NOT NULL,
        hold_id        TEXT NOT NULL,
        done           INTEGER NOT NULL,
        lease_until_us INTEGER NOT NULL,
        forget_us      INTEGER NOT NULL,
        PRIMARY KEY (account_id, scope)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX records_by_age ON records (account_id, forget_us)",
)

STEPS = (_FIRST,)

ADDED_COLUMNS = {
    "keys": {
        "last_us": "INTEGER NOT NULL DEFAULT 0",
        "inquiry_last_us": "INTEGER NOT NULL DEFAULT 0",
    }
}
"""Columns by table, each with its type and default.

`keys` has when each key's last request was admitted, which `rate` needs where clocks differ.
"""

COLUMNS_AS_STEP = 2
"""The version of files from a program that counted the columns of `keys` as a step."""


def migrate(connection: sqlite3.Connection) -> None:
    """Create the tables in a new file, or take the steps that an older one lacks.

    Several processes may open a new file at once: the version is read again under the lock.
    """
    if _version(connection) == len(STEPS) and not any(_missing(connection)):
        return
    connection.execute("BEGIN IMMEDIATE")
    for step in STEPS[_version(connection) :]:
        for statement in step:
            connection.execute(statement)
    for table, column, definition in list(_missing(connection)):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {definition}")
    connection.execute(f"PRAGMA user_version = {len(STEPS)}")
    connection.execute("COMMIT")


def require_known(connection: sqlite3.Connection) -> None:
    """Leave the file of a newer program alone.

    Raises:
        sqlite3.DatabaseError: the file has taken steps that are not known here.

    """
    version = _version(connection)
    if version > len(STEPS) and version != COLUMNS_AS_STEP:
        message = f"schema {version} is newer than {len(STEPS)}, the newest known here"
        raise sqlite3.DatabaseError(message)


def _missing(connection: sqlite3.Connection) -> Iterator[tuple[str, str, str]]:
    """Yield table, name and definition of each added column that the file lacks."""
    for table, columns in ADDED_COLUMNS.items():
        present = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        yield from ((table, name, columns[name]) for name in columns if name not in present)


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)

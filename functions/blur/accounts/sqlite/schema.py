"""The tables of the embedded store, and the migration of older files.

`PRAGMA user_version` counts the migrations of a file. A released migration is never edited. Each
change is a new migration at the end; older programs do not have this migration, so they reject the
file.

A new table, or a column with a default, does not count as a migration if only newer programs use
it. Older programs can still use the file, so an update can be undone, and two versions can share a
file during an update.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from blur.accounts.sqlite.job_schema import JOB_TABLES

_ENTRIES_ARE_NOT_CHANGED = """
    CREATE TRIGGER entries_are_not_changed BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
"""

_FIRST = (
    # SQLite turns a sum that needs more than 64 bits into a float; these checks reject floats.
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
    # The row of a settled or refunded hold stays until the hold's expiry, so that a reservation
    # that is repeated late finds the row and creates no second hold.
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
    _ENTRIES_ARE_NOT_CHANGED,
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

_QUARTERS = (
    # Before this migration, amounts were whole credits. The columns have new names. So if an older
    # program has the file open, its statements fail, and the program can neither read nor write a
    # wrong amount.
    "ALTER TABLE accounts RENAME COLUMN balance TO balance_quarters",
    "ALTER TABLE accounts RENAME COLUMN granted TO granted_quarters",
    "ALTER TABLE accounts RENAME COLUMN used TO used_quarters",
    "ALTER TABLE holds RENAME COLUMN price TO price_quarters",
    "ALTER TABLE usage RENAME COLUMN credits TO quarters",
    "ALTER TABLE entries RENAME COLUMN credits TO quarters",
    """
    UPDATE accounts SET balance_quarters = 4 * balance_quarters,
                        granted_quarters = 4 * granted_quarters,
                        used_quarters = 4 * used_quarters
    """,
    "UPDATE holds SET price_quarters = 4 * price_quarters",
    "UPDATE usage SET quarters = 4 * quarters",
    "DROP TRIGGER entries_are_not_changed",
    "UPDATE entries SET quarters = 4 * quarters",
    _ENTRIES_ARE_NOT_CHANGED,
)
"""After this migration, amounts are in quarters of a credit."""

MIGRATIONS = (_FIRST, (), _QUARTERS)
"""The second migration has no statements, because an earlier version counted `ADDED_COLUMNS` as a
migration."""

ADDED_COLUMNS = {
    "keys": {
        "last_us": "INTEGER NOT NULL DEFAULT 0",
        "inquiry_last_us": "INTEGER NOT NULL DEFAULT 0",
    }
}
"""Columns that were added later without a migration: by table, each with its type and default.

`keys` has the time of each key's last request: `blur/accounts/rate.py` needs this time because the
clocks of machines differ.
"""


ADDED_TABLES = {
    "key_usage": """
        CREATE TABLE IF NOT EXISTS key_usage (
            account_id TEXT NOT NULL REFERENCES accounts,
            month      TEXT NOT NULL,
            key_digest TEXT NOT NULL,
            calls      INTEGER NOT NULL,
            quarters   INTEGER NOT NULL CHECK (typeof(quarters) = 'integer'),
            pixels     INTEGER NOT NULL CHECK (typeof(pixels) = 'integer'),
            failures   INTEGER NOT NULL,
            PRIMARY KEY (month, account_id, key_digest)
        ) WITHOUT ROWID
    """,
    **JOB_TABLES,
}
"""Tables that only newer programs use. Like `ADDED_COLUMNS`, they do not change the version of the
schema, so older programs can still open the file."""


def migrate(connection: sqlite3.Connection) -> None:
    """Create the tables in a new file, or apply the missing migrations to an older file.

    Several processes can open a new file at the same time, so the version is read again after the
    lock is taken.
    """
    has_all = not any(_missing(connection)) and not any(_missing_tables(connection))
    if _version(connection) == len(MIGRATIONS) and has_all:
        return
    connection.execute("BEGIN IMMEDIATE")
    for migration in MIGRATIONS[_version(connection) :]:
        for statement in migration:
            connection.execute(statement)
    for table, column, definition in list(_missing(connection)):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {definition}")
    for definition in list(_missing_tables(connection)):
        connection.execute(definition)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    connection.execute("COMMIT")


def require_known(connection: sqlite3.Connection) -> None:
    """Check that the file was not written by a newer program.

    Raises: sqlite3.DatabaseError: the file has migrations that this program does not have.

    """
    version = _version(connection)
    if version > len(MIGRATIONS):
        message = f"schema {version} is newer than {len(MIGRATIONS)}, the newest supported here"
        raise sqlite3.DatabaseError(message)


def _missing(connection: sqlite3.Connection) -> Iterator[tuple[str, str, str]]:
    """Yield table, name and definition of each missing column."""
    for table, columns in ADDED_COLUMNS.items():
        present = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        yield from ((table, name, columns[name]) for name in columns if name not in present)


def _missing_tables(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield the definition of each missing table and index."""
    present = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    yield from (ADDED_TABLES[name] for name in ADDED_TABLES if name not in present)


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)

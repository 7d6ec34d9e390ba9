"""Stores that simulate a process killed at a chosen DynamoDB request or SQLite statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from blur.accounts.dynamo.client import open_client
from blur.accounts.sqlite import file as accounts_file
from blur.jobs.dynamo.job_store import DynamoJobStore
from blur.jobs.sqlite.job_store import SqliteJobStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blur.jobs.ports import JobStore


class Killed(BaseException):
    """Raised at the step at which the process is killed."""


@dataclass
class Death:
    """Simulates a kill before or after step number `step`, by raising `Killed`."""

    step: int
    is_after: bool
    steps: int = 0
    has_come: bool = False

    def run(self, step: Callable[[], Any]) -> Any:  # noqa: ANN401 - the type of the step's result
        """Run a step; at the chosen step, raise `Killed`."""
        self.steps += 1
        if self.steps != self.step:
            return step()
        if self.is_after:
            with suppress(Exception):  # for example, the store rejects the write
                step()
        self.has_come = True
        raise Killed


class DyingClient:
    """A client of DynamoDB; `death` decides at which request the simulated process is killed."""

    def __init__(self, client: Any, death: Death) -> None:  # noqa: ANN401 - boto has no types
        self._client, self._death = client, death

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - returns any operation
        send = getattr(self._client, operation)
        if operation == "close":
            return send
        return lambda **request: self._death.run(lambda: send(**request))


class DyingConnection:
    """A connection to SQLite; `death` kills it at one statement, and all later statements fail."""

    def __init__(self, connection: sqlite3.Connection, death: Death) -> None:
        self._connection, self._death = connection, death

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - returns any attribute
        return getattr(self._connection, name)

    def execute(self, *statement: Any) -> sqlite3.Cursor:  # noqa: ANN401 - any arguments of sqlite3
        if self._death.has_come:
            message = "the process was killed"
            raise sqlite3.OperationalError(message)
        cursor = self._death.run(lambda: self._connection.execute(*statement))
        return cast("sqlite3.Cursor", cursor)


@contextmanager
def dying_store(location: str, death: Death) -> Iterator[JobStore]:
    """Open a job store in a simulated process that `death` kills."""
    scheme, _, name = location.partition(":")
    if scheme == "dynamodb":
        client = open_client()
        with closing(DynamoJobStore(name, cast("Any", DyingClient(client, death)))) as store:
            yield store
        return
    open_connection, opened = accounts_file.open_connection, list[sqlite3.Connection]()

    def open_dying(*arguments: Any) -> DyingConnection:  # noqa: ANN401 - any arguments of sqlite3
        opened.append(open_connection(*arguments))
        return DyingConnection(opened[-1], death)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts_file, "open_connection", open_dying)
        yield SqliteJobStore(Path(name))
    # Closing a connection can interrupt a transaction, as a kill does.
    for connection in opened:
        connection.close()

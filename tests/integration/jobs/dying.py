"""Stores whose process is killed at a chosen request to DynamoDB or statement of SQLite."""

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
    """The process ended here."""


@dataclass
class Death:
    """Ends the process at its `step`-th step, before the step or after it."""

    step: int
    is_after: bool
    steps: int = 0
    has_come: bool = False

    def run(self, step: Callable[[], Any]) -> Any:  # noqa: ANN401 - any result
        """Run a step; at the chosen step, end the process instead."""
        self.steps += 1
        if self.steps != self.step:
            return step()
        if self.is_after:
            with suppress(Exception):  # a write can have the response that it had no effect
                step()
        self.has_come = True
        raise Killed


class DyingClient:
    """A client of DynamoDB that sends no more requests after the death."""

    def __init__(self, client: Any, death: Death) -> None:  # noqa: ANN401 - boto's
        self._client, self._death = client, death

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - any operation
        send = getattr(self._client, operation)
        if operation == "close":
            return send
        return lambda **request: self._death.run(lambda: send(**request))


class DyingConnection:
    """A connection to SQLite that executes nothing after the end of the process."""

    def __init__(self, connection: sqlite3.Connection, death: Death) -> None:
        self._connection, self._death = connection, death

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any attribute
        return getattr(self._connection, name)

    def execute(self, *statement: Any) -> sqlite3.Cursor:  # noqa: ANN401 - sqlite3's arguments
        if self._death.has_come:
            message = "the process is dead"
            raise sqlite3.OperationalError(message)
        cursor = self._death.run(lambda: self._connection.execute(*statement))
        return cast("sqlite3.Cursor", cursor)


@contextmanager
def dying_store(location: str, death: Death) -> Iterator[JobStore]:
    """Open the store of jobs in a process that is killed at a step."""
    scheme, _, name = location.partition(":")
    if scheme == "dynamodb":
        client = open_client()
        with closing(DynamoJobStore(name, cast("Any", DyingClient(client, death)))) as store:
            yield store
        return
    open_connection, opened = accounts_file.open_connection, list[sqlite3.Connection]()

    def open_dying(*arguments: Any) -> DyingConnection:  # noqa: ANN401 - as above
        opened.append(open_connection(*arguments))
        return DyingConnection(opened[-1], death)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts_file, "open_connection", open_dying)
        yield SqliteJobStore(Path(name))
    # Like the end of a process, this can happen in the middle of a transaction.
    for connection in opened:
        connection.close()

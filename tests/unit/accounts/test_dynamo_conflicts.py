"""A write that conflicts with a transaction is repeated more often than a throttled write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from blur.accounts.dynamo.client import Sender
from blur.accounts.dynamo.table import ConditionFailedError
from blur.errors import UnavailableError
from blur.jobs.dynamo.job_store import CONFLICT_S

CONFLICTS = 8
"""The default number of requests that fail; a throttled write is retried fewer times."""


@dataclass
class Clock:
    """A fake of the module `time`; `sleep` returns at once and sets the clock forward."""

    now_s: float = 0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blur.accounts.dynamo.client.time", Clock())


class BusyTable:
    """A client whose first requests fail with the same error."""

    def __init__(self, error: ClientError, conflicts: int = CONFLICTS) -> None:
        self.tokens: list[str] = []
        self._error, self._conflicts = error, conflicts

    def transact_write_items(self, **request: Any) -> dict[str, Any]:  # noqa: ANN401 - any parameters of the request
        self.tokens.append(request["ClientRequestToken"])
        if len(self.tokens) <= self._conflicts:
            raise self._error
        return {"ConsumedCapacity": [], "ResponseMetadata": {"RequestId": "1"}}


def cancelled(*reasons: str) -> ClientError:
    """Return the error of a cancelled transaction, with one reason for each of its writes."""
    return failed(
        "TransactionCanceledException",
        CancellationReasons=[{"Code": reason} for reason in reasons],
    )


def failed(code: str, **more: object) -> ClientError:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}, **more}
    return ClientError(cast("Any", response), "TransactWriteItems")


def send(table: BusyTable, conflict_s: float = 0) -> None:
    sender = Sender.start(cast("Any", table), conflict_s=conflict_s)
    sender("transact_write_items", {"TransactItems": []})


@pytest.mark.parametrize(
    "error",
    [
        cancelled("None", "TransactionConflict"),
        failed("TransactionConflictException"),
        failed("TransactionInProgressException"),
    ],
    ids=["cancelled", "conflict", "in progress"],
)
def test_a_transaction_with_a_conflict_is_repeated_with_the_same_token(error: ClientError) -> None:
    table = BusyTable(error)
    send(table)
    assert len(table.tokens) == CONFLICTS + 1
    assert len(set(table.tokens)) == 1


def test_a_transaction_with_a_conflict_and_a_failed_condition_is_not_repeated() -> None:
    table = BusyTable(cancelled("TransactionConflict", "ConditionalCheckFailed"))
    with pytest.raises(ConditionFailedError):
        send(table)
    assert len(table.tokens) == 1


def test_after_a_second_of_conflicts_a_call_fails_but_a_job_still_retries() -> None:
    """The pauses after 60 conflicts add up to between 1.3 and 2.3 s."""
    error = failed("TransactionConflictException")
    with pytest.raises(UnavailableError):
        send(BusyTable(error, conflicts=60))
    table = BusyTable(error, conflicts=60)
    send(table, conflict_s=CONFLICT_S)
    assert len(table.tokens) == 61


def test_a_throttled_write_of_a_job_is_retried_at_most_five_times() -> None:
    table = BusyTable(failed("ThrottlingException"), conflicts=60)
    with pytest.raises(UnavailableError):
        send(table, conflict_s=CONFLICT_S)
    assert len(table.tokens) <= 6

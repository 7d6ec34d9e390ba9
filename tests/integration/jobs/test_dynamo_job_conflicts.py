"""Conflicting writes: cancelled transactions, and items that change after they were read.

DynamoDB Local never cancels a transaction, so the clients in these tests raise the
errors that DynamoDB would return.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from random import Random
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.integration.accounts.customer import after
from tests.integration.jobs.job_owner import PRICE, open_job, process, require_exact
from tests.unit.accounts.test_dynamo_conflicts import cancelled, failed

from blur.accounts.connect import open_account_store
from blur.accounts.dynamo.client import open_client
from blur.credits import Credits
from blur.jobs.dynamo.job_store import DynamoJobStore
from blur.jobs.model import JobCounts, JobState, ObjectState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from blur.accounts.ports import AccountStore

CONFLICTS = 0.5
"""The share of writes that conflict with another write."""
OBJECTS = 24
ERRORS = {
    "transact_write_items": cancelled("None", "None", "TransactionConflict"),
    "update_item": failed("TransactionConflictException"),
}
"""The errors of writes that conflict with another write, by operation."""
STATES = (ObjectState.DONE, ObjectState.DONE, ObjectState.FAILED)


class ContendedClient:
    """A client that rejects half of all writes, as if other writers changed the same items."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - boto has no types
        self.conflicts = 0
        self._client, self._random = client, Random(5)

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - returns any operation
        send = getattr(self._client, operation)
        return self._contended(operation, send) if operation in ERRORS else send

    def _contended(self, operation: str, send: Callable[..., Any]) -> Callable[..., Any]:
        def write(**request: object) -> object:
            if self._random.random() > CONFLICTS:
                return send(**request)
            self.conflicts += 1
            raise ERRORS[operation]

        return write


class InterruptedClient:
    """A client that calls `act`, a write by another client, before its own first update."""

    def __init__(self, client: Any, act: Callable[[], object]) -> None:  # noqa: ANN401 - boto has no types
        self._client, self._acts = client, [act]

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - returns any operation
        return getattr(self._client, operation)

    def update_item(self, **request: Any) -> Any:  # noqa: ANN401 - boto has no types
        while self._acts:
            self._acts.pop()()
        return self._client.update_item(**request)


@pytest.fixture
def accounts(dynamodb_table: str) -> Iterator[AccountStore]:
    with closing(open_account_store(f"dynamodb:{dynamodb_table}")) as store:
        yield store


@pytest.fixture
def other(dynamodb_table: str) -> Iterator[DynamoJobStore]:
    """Yield a second store, which a test uses as if it were another process."""
    with closing(DynamoJobStore(dynamodb_table, open_client())) as store:
        yield store


def interrupted(table: str, act: Callable[[], object]) -> closing[DynamoJobStore]:
    return closing(DynamoJobStore(table, cast("Any", InterruptedClient(open_client(), act))))


def test_a_photo_processed_after_the_keeper_has_read_its_job_is_counted_at_the_end_of_the_job(
    dynamodb_table: str, accounts: AccountStore, other: DynamoJobStore
) -> None:
    owner = open_job(accounts, other)
    assert process(other, owner, "1.jpg")
    other.close_job(owner.job_id, now_us=after(1))
    with interrupted(dynamodb_table, lambda: process(other, owner, "late.jpg")) as jobs:
        assert jobs.end_job(owner.job_id, received=1, now_us=after(2))
    job = other.find_job(owner.job_id)
    assert (job.state, job.counts.received, job.counts.done) == (JobState.DONE, 2, 2)
    require_exact(accounts, other, owner, after(3))


def test_a_job_does_not_end_if_a_photo_began_to_wait_for_credits_after_the_job_was_read(
    dynamodb_table: str, accounts: AccountStore, other: DynamoJobStore
) -> None:
    owner = open_job(accounts, other)
    other.close_job(owner.job_id, now_us=after(1))

    def park() -> None:
        assert other.park_object(owner.job_id, "late.jpg", now_us=after(1))

    with interrupted(dynamodb_table, park) as jobs:
        assert not jobs.end_job(owner.job_id, received=0, now_us=after(2))
    assert other.find_job(owner.job_id).ended_us is None


def test_two_keepers_at_the_same_time_end_a_cancelled_job_once(
    dynamodb_table: str, accounts: AccountStore, other: DynamoJobStore
) -> None:
    owner = open_job(accounts, other)
    other.cancel_job(owner.job_id, now_us=after(1))

    def end() -> None:
        assert other.end_job(owner.job_id, received=0, now_us=after(2))

    with interrupted(dynamodb_table, end) as jobs:
        assert jobs.end_job(owner.job_id, received=0, now_us=after(3))
    assert other.find_job(owner.job_id).ended_us == after(2)


def test_the_counts_of_objects_and_charges_are_exact_while_half_of_all_writes_conflict(
    dynamodb_table: str, accounts: AccountStore
) -> None:
    client = ContendedClient(open_client())
    with closing(DynamoJobStore(dynamodb_table, cast("Any", client))) as jobs:
        owner = open_job(accounts, jobs)

        def work(number: int) -> bool:
            return process(jobs, owner, f"{number}.jpg", STATES[number % 3])

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(work, range(OBJECTS)))
        assert client.conflicts > OBJECTS
        done = 2 * OBJECTS // 3
        counts = JobCounts(
            received=OBJECTS, done=done, failed=OBJECTS - done, charged=Credits(PRICE * done)
        )
        assert jobs.find_job(owner.job_id).counts == counts
        account = require_exact(accounts, jobs, owner, after(1))
        assert (account.balance, account.held) == (100 - PRICE * done, 0)

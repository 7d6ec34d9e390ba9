"""Transactions that DynamoDB cancels because of others; DynamoDB Local itself never does that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from random import Random
from typing import TYPE_CHECKING, Any, cast

from tests.integration.accounts.customer import after
from tests.integration.jobs.job_owner import PRICE, open_job, process, require_exact
from tests.unit.accounts.test_dynamo_conflicts import cancelled, failed

from blur.accounts.connect import open_account_store
from blur.accounts.dynamo.client import open_client
from blur.credits import Credits
from blur.jobs.dynamo.job_store import DynamoJobStore
from blur.jobs.model import JobCounts, ObjectState

if TYPE_CHECKING:
    from collections.abc import Callable

CONFLICTS = 0.5
"""The share of writes that meet another one."""
OBJECTS = 24
ERRORS = {
    "transact_write_items": cancelled("None", "None", "TransactionConflict"),
    "update_item": failed("TransactionConflictException"),
}
"""The response to each write that meets another one."""
STATES = (ObjectState.DONE, ObjectState.DONE, ObjectState.FAILED)


class ContendedClient:
    """A client of a table with so many other writers that half of all writes meet one."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - boto's
        self.conflicts = 0
        self._client, self._random = client, Random(5)

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - any operation
        send = getattr(self._client, operation)
        return self._contended(operation, send) if operation in ERRORS else send

    def _contended(self, operation: str, send: Callable[..., Any]) -> Callable[..., Any]:
        def write(**request: object) -> object:
            if self._random.random() > CONFLICTS:
                return send(**request)
            self.conflicts += 1
            raise ERRORS[operation]

        return write


def test_objects_are_exact_while_half_of_all_writes_meet_another_one(dynamodb_table: str) -> None:
    client = ContendedClient(open_client())
    accounts = open_account_store(f"dynamodb:{dynamodb_table}")
    with closing(accounts), closing(DynamoJobStore(dynamodb_table, cast("Any", client))) as jobs:
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

"""Failing databases of bulk jobs: methods report each failure, and no write happens twice."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.faults.test_dynamo_outages import (
    MOST_DELIVERIES,
    Impostor,
    error,
    losing_first_responses,
    serving,
)
from tests.integration.accounts.customer import START, Customer, after
from tests.integration.accounts.dynamodb_local import DynamoDBLocal
from tests.integration.jobs.job_owner import (
    ALL_STATES,
    PRICE,
    JobOwner,
    new_job,
    open_job,
    process,
    require_exact,
    rows_of,
)

from blur.accounts.connect import open_account_store
from blur.errors import UnavailableError
from blur.jobs.connect import open_job_store
from blur.jobs.model import JobCounts, JobState, ObjectState, object_id
from blur.jobs.sqlite.job_store import SqliteJobStore

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore
    from blur.jobs.ports import JobStore

OWNER = JobOwner(Customer("customer0001", "d" * 64), "job_0001")
HOLD = OWNER.hold("1.jpg")
ROW = OWNER.row("1.jpg")

CALLS: dict[str, Callable[[JobStore], object]] = {
    "create_job": lambda jobs: jobs.create_job(new_job(OWNER.customer)),
    "find_job": lambda jobs: jobs.find_job(OWNER.job_id),
    "close_job": lambda jobs: jobs.close_job(OWNER.job_id, now_us=START),
    "cancel_job": lambda jobs: jobs.cancel_job(OWNER.job_id, now_us=START),
    "set_paused": lambda jobs: jobs.set_paused(OWNER.job_id, is_paused=True),
    "reserve_object": lambda jobs: jobs.reserve_object(HOLD, now_us=START),
    "end_object": lambda jobs: jobs.end_object(ROW, HOLD, now_us=START),
    "park_object": lambda jobs: jobs.park_object(OWNER.job_id, "1.jpg", now_us=START),
    "find_object": lambda jobs: jobs.find_object(OWNER.job_id, ROW.object_id),
    "list_objects": lambda jobs: jobs.list_objects(OWNER.job_id, states=ALL_STATES, limit=9),
    "list_active": lambda jobs: list(jobs.list_active()),
    "count_active": lambda jobs: jobs.count_active(OWNER.customer.account_id, most=9),
    "end_job": lambda jobs: jobs.end_job(OWNER.job_id, received=1, now_us=START),
    "record_notification_attempt": lambda jobs: jobs.record_notification_attempt(
        OWNER.job_id, next_attempt_us=None
    ),
}
every_call = pytest.mark.parametrize("call", list(CALLS.values()), ids=list(CALLS))


@contextlib.contextmanager
def jobs_at(endpoint_url: str, table_name: str = "accounts") -> Iterator[JobStore]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in DynamoDBLocal(endpoint_url).environ.items():
            patch.setenv(name, value)
        jobs = open_job_store(f"dynamodb:{table_name}")
    yield jobs
    jobs.close()


@every_call
@pytest.mark.parametrize(
    ("status", "body"),
    [(HTTPStatus.OK, b"{}"), error(400, "ThrottlingException"), (503, b"<html>Busy</html>")],
    ids=["empty", "throttled", "busy"],
)
def test_an_empty_response_or_a_busy_dynamodb_is_reported_as_unavailable(
    call: Callable[[JobStore], object], status: int, body: bytes
) -> None:
    impostor = Impostor(status, body)
    with serving(impostor.handler) as url, jobs_at(url) as jobs, pytest.raises(UnavailableError):
        call(jobs)
    assert 1 <= impostor.deliveries <= MOST_DELIVERIES


@every_call
def test_a_file_that_is_not_a_database_is_reported_as_unavailable(
    call: Callable[[JobStore], object], tmp_path: Path
) -> None:
    path = tmp_path / "accounts.db"
    path.write_bytes(b"not a database, and longer than the header of one" * 9)
    jobs = SqliteJobStore(path)
    with pytest.raises(UnavailableError):
        call(jobs)
    jobs.close()


@pytest.mark.parametrize("name", ["create_job", "reserve_object", "end_object", "end_job"])
def test_a_write_to_a_locked_file_fails_and_creates_no_job(name: str, tmp_path: Path) -> None:
    path = tmp_path / "accounts.db"
    jobs = SqliteJobStore(path)
    assert list(jobs.list_active()) == []  # creates the file
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnavailableError):
        CALLS[name](jobs)
    other.execute("ROLLBACK")
    other.close()
    assert list(jobs.list_active()) == []
    jobs.close()


def test_writes_whose_responses_are_lost_are_applied_once(
    dynamodb: DynamoDBLocal, dynamodb_table: str, accounts: AccountStore
) -> None:
    """The client sends each request twice, because the first response is lost."""
    handler = losing_first_responses(dynamodb.endpoint_url)
    with serving(handler) as url, jobs_at(url, dynamodb_table) as jobs:
        owner = open_job(accounts, jobs)
        assert process(jobs, owner, "done.jpg")
        assert process(jobs, owner, "failed.jpg", ObjectState.FAILED)
        assert jobs.park_object(owner.job_id, "parked.jpg", now_us=START)
        parked = owner.row("parked.jpg", ObjectState.CANCELLED)
        assert jobs.end_object(parked, None, now_us=after(1))
        jobs.close_job(owner.job_id, now_us=after(2))
        assert jobs.end_job(owner.job_id, received=3, now_us=after(3))
        jobs.record_notification_attempt(owner.job_id, next_attempt_us=None)
        assert owner.job_id not in {job.job_id for job in jobs.list_active()}
        job = jobs.find_job(owner.job_id)
        assert job.counts == JobCounts(received=3, done=1, failed=1, cancelled=1, charged=PRICE)
        assert job.state is JobState.DONE
        assert len(list(rows_of(jobs, owner.job_id))) == 3
        assert jobs.find_object(owner.job_id, object_id("done.jpg"))
        assert require_exact(accounts, jobs, owner, after(4)).balance == 100 - PRICE


@pytest.fixture
def accounts(dynamodb_table: str) -> Iterator[AccountStore]:
    store = open_account_store(f"dynamodb:{dynamodb_table}")
    yield store
    store.close()

"""The roles of API, worker and keeper have the permissions that jobs need in DynamoDB."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.accounts.customer import START, after, open_account
from tests.integration.jobs.job_owner import FINAL_STATES, JobOwner, new_job, process
from tests.integration.stack.template_file import resources, statements, template

from blur.accounts.dynamo.account_store import DynamoAccountStore
from blur.accounts.dynamo.client import open_client
from blur.jobs.dynamo.job_store import DynamoJobStore
from blur.jobs.model import Notification, ObjectState, object_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from blur.jobs.ports import JobStore

__all__ = ["resources", "template"]  # the tests use these fixtures

IN_TRANSACTIONS = {
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Delete": "dynamodb:DeleteItem",
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
}
"""IAM has no actions for transactions, only for the parts of a transaction."""


@dataclass
class Recorder:
    """The IAM actions that requests to the table need, and the partition keys of the queries."""

    actions: set[str] = field(default_factory=set)
    queried: set[str] = field(default_factory=set)

    def note(self, params: Mapping[str, Any], model: Any, **_: object) -> None:  # noqa: ANN401 - boto has no types
        """Record a request before it is sent."""
        if model.name == "TransactWriteItems":
            parts = (kind for part in params["TransactItems"] for kind in part)
            self.actions |= {IN_TRANSACTIONS[kind] for kind in parts}
        else:
            self.actions.add(f"dynamodb:{model.name}")
        if model.name == "Query":
            values = params["ExpressionAttributeValues"].values()
            self.queried |= {value["S"] for value in values if value["S"].startswith("JOB#")}


@pytest.fixture
def sent() -> Recorder:
    return Recorder()


@pytest.fixture
def stores(dynamodb_table: str, sent: Recorder) -> Iterator[tuple[DynamoAccountStore, JobStore]]:
    client = open_client()
    client.meta.events.register("provide-client-params.dynamodb", sent.note)
    yield DynamoAccountStore(dynamodb_table, client), DynamoJobStore(dynamodb_table, client)
    client.close()


@pytest.fixture
def owner(stores: tuple[DynamoAccountStore, JobStore], sent: Recorder) -> JobOwner:
    accounts, jobs = stores
    customer = open_account(accounts, 100)
    job = new_job(customer, notify="https://example.com/")
    jobs.create_job(job)
    assert isinstance(job.notification, Notification)
    sent.actions.clear()
    return JobOwner(customer, job.job_id)


def allowed(resources: dict[str, Any], role: str) -> set[str]:
    """Return the actions that a role allows on the table."""
    actions = {action for each in statements(resources, role) for action in each["Action"]}
    return {action for action in actions if action.startswith("dynamodb:")}


def test_the_role_of_the_api_allows_every_request_that_the_job_routes_send_to_the_table(
    stores: tuple[DynamoAccountStore, JobStore],
    owner: JobOwner,
    sent: Recorder,
    resources: dict[str, Any],
) -> None:
    _, jobs = stores
    jobs.create_job(new_job(owner.customer))
    jobs.count_active(owner.customer.account_id, most=10)
    jobs.find_job(owner.job_id)
    jobs.find_object(owner.job_id, object_id("a.jpg"))
    jobs.list_objects(owner.job_id, states=FINAL_STATES, limit=10)
    jobs.close_job(owner.job_id, now_us=START)
    jobs.cancel_job(owner.job_id, now_us=START)
    assert sent.actions <= allowed(resources, "BlurRole")
    assert "dynamodb:Query" in sent.actions
    (lists,) = (each for each in statements(resources) if each["Sid"] == "JobLists")
    (pattern,) = lists["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    names = (owner.job_id, f"ACCT#{owner.customer.account_id}")
    assert sent.queried == {pattern.replace("*", name) for name in names}


def test_the_workers_role_allows_exactly_the_requests_that_the_worker_sends_to_the_table(
    stores: tuple[DynamoAccountStore, JobStore],
    owner: JobOwner,
    sent: Recorder,
    resources: dict[str, Any],
) -> None:
    _, jobs = stores
    jobs.find_job(owner.job_id)
    jobs.find_object(owner.job_id, object_id("a.jpg"))
    process(jobs, owner, "a.jpg")
    process(jobs, owner, "a.jpg")
    process(jobs, owner, "b.jpg", ObjectState.FAILED)
    jobs.set_paused(owner.job_id, is_paused=True)
    jobs.park_object(owner.job_id, "c.jpg", now_us=START)
    process(jobs, owner, "c.jpg", now_us=after(3600))
    assert sent.actions == allowed(resources, "JobWorkerRole")


def test_the_keepers_role_allows_exactly_the_requests_that_the_keeper_sends_to_the_table(
    stores: tuple[DynamoAccountStore, JobStore],
    owner: JobOwner,
    sent: Recorder,
    resources: dict[str, Any],
) -> None:
    accounts, jobs = stores
    account_id, digest = owner.customer.account_id, owner.customer.digest
    accounts.has_valid_key(account_id, digest, now_us=START)
    accounts.read_account(account_id, now_us=START)
    assert owner.job_id in {job.job_id for job in jobs.list_active()}
    jobs.set_paused(owner.job_id, is_paused=False)
    jobs.close_job(owner.job_id, now_us=START)
    row = owner.row("a.jpg", ObjectState.CANCELLED)
    jobs.end_object(row, None, now_us=START)
    jobs.list_objects(owner.job_id, states=FINAL_STATES, limit=10)
    assert jobs.end_job(owner.job_id, received=1, now_us=START)
    jobs.record_notification_attempt(owner.job_id, next_attempt_us=after(60))
    jobs.record_notification_attempt(owner.job_id, next_attempt_us=None)
    assert sent.actions == allowed(resources, "JobKeeperRole")

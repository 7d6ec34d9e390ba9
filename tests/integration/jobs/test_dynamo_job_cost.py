"""The requests of the DynamoDB store for one object of a job, and their cost.

DynamoDB Local adds up the sizes of a transaction's items before it rounds. DynamoDB rounds each
item up to a kilobyte and charges two units for it
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html), so the
tests count the items of a transaction and check that each is smaller than a kilobyte.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.accounts.customer import START, after, key_record, open_account
from tests.integration.accounts.dynamo_bill import DEFAULT_LIMIT, KILOBYTE, Bill, size
from tests.integration.jobs.job_owner import FINAL_STATES, JobOwner, new_job, process

from blur.accounts.dynamo.account_store import DynamoAccountStore
from blur.accounts.dynamo.client import open_client
from blur.accounts.dynamo.schema import account_key
from blur.accounts.dynamo.values import marshal_item
from blur.errors import InsufficientCreditsError
from blur.jobs.dynamo.items import FAILED_ROW, active_keys, job_key, row_key
from blur.jobs.dynamo.job_store import DynamoJobStore
from blur.jobs.model import KEPT_S, ObjectState, object_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blur.accounts.dynamo.values import Item

SOURCE = "autumn catalogue/shoes and boots/4711-left-side.jpg"


@dataclass
class TransactionBill(Bill):
    """Counts two units for each item of a transaction, as DynamoDB does for items up to 1 KB."""

    def ask(self, params: dict[str, Any], **more: object) -> None:
        super().ask(params, **more)
        self.units += 2 * len(params.get("TransactItems", []))

    def note(self, model: Any, parsed: dict[str, Any], **more: object) -> None:  # noqa: ANN401 - boto has no types
        is_transaction = model.name == "TransactWriteItems"
        super().note(model, {} if is_transaction else parsed, **more)


@pytest.fixture
def bill() -> Bill:
    return TransactionBill()


@pytest.fixture
def accounts(dynamodb_table: str) -> Iterator[DynamoAccountStore]:
    store = DynamoAccountStore(dynamodb_table, open_client())
    yield store
    store.close()


@pytest.fixture
def jobs(dynamodb_table: str, bill: Bill) -> Iterator[DynamoJobStore]:
    client = open_client()
    client.meta.events.register("provide-client-params.dynamodb", bill.ask)
    client.meta.events.register("after-call.dynamodb", bill.note)
    store = DynamoJobStore(dynamodb_table, client)
    yield store
    store.close()


@pytest.fixture
def owner(accounts: DynamoAccountStore, jobs: DynamoJobStore, bill: Bill) -> JobOwner:
    """Return a job with a notification and one processed object. The account has two keys."""
    customer = open_account(accounts, 1_000_000, limit=DEFAULT_LIMIT)
    accounts.add_key(key_record(customer.account_id, limit=DEFAULT_LIMIT), now_us=START)
    job = new_job(
        customer, notify="https://shop.example.com/hooks/background-blur?source=catalogue"
    )
    jobs.create_job(job)
    owner = JobOwner(customer, job.job_id)
    process(jobs, owner, "first.jpg")
    bill.clear()
    return owner


def test_processing_an_object_costs_seven_write_units(
    jobs: DynamoJobStore, owner: JobOwner, bill: Bill
) -> None:
    """The hold costs one unit; the transaction costs two for each item: account, row and job."""
    process(jobs, owner, SOURCE, now_us=after(1))
    assert (bill.operations, bill.units) == (["UpdateItem", "TransactWriteItems"], 7)


def test_a_failed_object_costs_nine_write_units(
    jobs: DynamoJobStore, owner: JobOwner, bill: Bill
) -> None:
    process(jobs, owner, SOURCE, ObjectState.FAILED, now_us=after(1))
    assert (bill.operations, bill.units) == (["UpdateItem", "TransactWriteItems"], 9)


def test_cancelling_an_object_without_a_hold_does_not_write_the_item_of_the_account(
    jobs: DynamoJobStore, owner: JobOwner, bill: Bill
) -> None:
    jobs.end_object(owner.row(SOURCE, ObjectState.CANCELLED), None, now_us=after(1))
    assert (bill.operations, bill.units) == (["TransactWriteItems"], 4)


def test_finding_the_row_of_an_ended_object_costs_one_read(
    jobs: DynamoJobStore, owner: JobOwner, bill: Bill
) -> None:
    process(jobs, owner, SOURCE, now_us=after(1))
    bill.clear()
    assert jobs.find_object(owner.job_id, object_id(SOURCE))
    assert (bill.operations, bill.units) == (["GetItem"], 1)


def test_rejecting_an_object_of_an_account_without_credits_takes_one_dynamodb_request(
    accounts: DynamoAccountStore, jobs: DynamoJobStore, bill: Bill
) -> None:
    owner = JobOwner(open_account(accounts, 0), "job")
    with pytest.raises(InsufficientCreditsError):
        jobs.reserve_object(owner.hold(SOURCE), now_us=START)
    assert bill.operations == ["UpdateItem"]


def test_items_of_account_job_and_row_are_each_smaller_than_a_kilobyte(
    jobs: DynamoJobStore, owner: JobOwner, dynamodb_table: str
) -> None:
    process(jobs, owner, SOURCE, now_us=after(1))
    for key in (
        account_key(owner.customer.account_id),
        job_key(owner.job_id),
        row_key(owner.job_id, object_id(SOURCE)),
    ):
        assert 0 < size(stored(dynamodb_table, key)) < KILOBYTE


def test_items_of_a_job_expire_30_days_after_they_are_written(
    jobs: DynamoJobStore, owner: JobOwner, dynamodb_table: str
) -> None:
    """An object's row is kept for 30 days after it is written, so that late messages find it."""
    process(jobs, owner, SOURCE, ObjectState.FAILED, now_us=after(3600))
    object_id_ = object_id(SOURCE)
    for key, seconds in (
        (job_key(owner.job_id), 0),
        *((key, 0) for key in active_keys(owner.customer.account_id, owner.job_id)),
        (row_key(owner.job_id, object_id_), 3600),
        (row_key(owner.job_id, object_id_, FAILED_ROW), 3600),
    ):
        assert stored(dynamodb_table, key)["ttl"] == {"N": str(after(seconds) // 10**6 + KEPT_S)}


def test_account_item_is_smaller_than_a_kilobyte_after_100_objects_in_a_second(
    jobs: DynamoJobStore, owner: JobOwner, dynamodb_table: str
) -> None:
    for number in range(100):
        process(jobs, owner, f"{number}.jpg", now_us=after(1 + number / 100))
    assert size(stored(dynamodb_table, account_key(owner.customer.account_id))) < KILOBYTE


def test_a_running_object_adds_at_most_40_bytes_to_the_account_item(
    jobs: DynamoJobStore, owner: JobOwner, dynamodb_table: str
) -> None:
    key = account_key(owner.customer.account_id)
    before = size(stored(dynamodb_table, key))
    for number in range(10):
        jobs.reserve_object(owner.hold(f"{number}.jpg"), now_us=after(1))
    assert size(stored(dynamodb_table, key)) - before <= 10 * 40


def test_the_failures_of_a_job_are_listed_without_reading_its_other_rows(
    jobs: DynamoJobStore, owner: JobOwner, bill: Bill
) -> None:
    end_many(jobs, owner, 40)
    process(jobs, owner, SOURCE, ObjectState.FAILED)
    bill.clear()
    page = jobs.list_objects(owner.job_id, states=[ObjectState.FAILED], limit=100)
    assert [row.source for row in page.objects] == [SOURCE]
    assert (bill.operations, bill.units) == (["Query"], 1)


def test_listing_a_page_of_rows_reads_at_most_two_rows_more_than_the_page_has(
    jobs: DynamoJobStore, owner: JobOwner, bill: Bill
) -> None:
    end_many(jobs, owner, 40)
    for limit, units in ((4, 3), (20, 11)):  # to read a row of 1 KB costs half a unit
        bill.clear()
        page = jobs.list_objects(owner.job_id, states=FINAL_STATES, limit=limit)
        assert len(page.objects) == limit
        assert (bill.operations, bill.units <= units) == (["Query"], True)


def test_one_waiting_row_among_40_final_rows_is_found_with_one_request(
    jobs: DynamoJobStore, owner: JobOwner, bill: Bill
) -> None:
    end_many(jobs, owner, 40)
    jobs.park_object(owner.job_id, SOURCE, now_us=START)
    bill.clear()
    page = jobs.list_objects(owner.job_id, states=[ObjectState.WAITING], limit=2)
    assert [row.source for row in page.objects] == [SOURCE]
    assert bill.operations == ["Query"]


def test_the_end_of_a_job_costs_one_read_and_one_write(
    jobs: DynamoJobStore, owner: JobOwner, bill: Bill
) -> None:
    jobs.close_job(owner.job_id, now_us=after(1))
    bill.clear()
    assert jobs.end_job(owner.job_id, received=1, now_us=after(2))
    assert (bill.operations, bill.units) == (["GetItem", "UpdateItem"], 2)


def end_many(jobs: DynamoJobStore, owner: JobOwner, number: int) -> None:
    """Write the rows of `number` cancelled objects, each of nearly a kilobyte."""
    for index in range(number):
        row = owner.row(f"{index:02}" * 100, ObjectState.CANCELLED)
        jobs.end_object(replace(row, message="x" * 600), None, now_us=START)


def stored(table_name: str, key: Item) -> dict[str, Any]:
    """Return an item of the table; read it with a new client, whose requests no `Bill` counts."""
    client: Any = open_client()
    item: dict[str, Any] = client.get_item(TableName=table_name, Key=marshal_item(key))["Item"]
    client.close()
    return item

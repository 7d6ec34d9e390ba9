"""The requests of the DynamoDB store, and their cost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.accounts.customer import (
    START,
    Customer,
    after,
    key_record,
    open_account,
    record_of,
    take_hold,
)
from tests.integration.accounts.dynamo_bill import DEFAULT_LIMIT, KILOBYTE, Bill, size, stored

from blur.account_status import RateLimit
from blur.accounts.dynamo import schema
from blur.accounts.dynamo.account_store import DynamoAccountStore
from blur.accounts.dynamo.client import open_client
from blur.accounts.dynamo.items import key_item
from blur.accounts.dynamo.values import marshal_item
from blur.accounts.model import SECOND_US, Instant, Weight
from blur.errors import InsufficientCreditsError, RateLimitError
from blur.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blur.accounts.model import KeyRecord

MONTH_S = 31 * 24 * 3600


@pytest.fixture
def bill() -> Bill:
    return Bill()


@pytest.fixture
def store(dynamodb_table: str, bill: Bill) -> Iterator[DynamoAccountStore]:
    client = open_client()
    client.meta.events.register("provide-client-params.dynamodb", bill.ask)
    client.meta.events.register("after-call.dynamodb", bill.note)
    store = DynamoAccountStore(dynamodb_table, client)
    yield store
    store.close()


@pytest.fixture
def customer(store: DynamoAccountStore, bill: Bill) -> Customer:
    """Return an account with two keys, as during the rotation of a key."""
    customer = open_account(store, 1_000_000, limit=DEFAULT_LIMIT)
    store.add_key(key_record(customer.account_id, limit=DEFAULT_LIMIT), now_us=START)
    bill.clear()
    return customer


def call(store: DynamoAccountStore, customer: Customer, now_us: Instant) -> None:
    hold_ttl_us = Settings().hold_ttl_s * SECOND_US
    hold = take_hold(store, customer, now_us=now_us, ttl_us=hold_ttl_us)
    store.settle(hold, now_us=now_us)


def test_the_first_call_with_a_key_takes_two_writes_of_one_unit_each(
    store: DynamoAccountStore, customer: Customer, bill: Bill
) -> None:
    call(store, customer, START)
    assert (bill.operations, bill.units) == (["UpdateItem"] * 2, 2)


def test_a_call_directly_after_another_call_also_takes_two_writes(
    store: DynamoAccountStore, customer: Customer, bill: Bill
) -> None:
    call(store, customer, START)
    bill.clear()
    call(store, customer, after(0.1))
    assert (bill.operations, bill.units) == (["UpdateItem"] * 2, 2)


def test_a_call_shortly_after_a_call_in_another_process_takes_three_writes(
    store: DynamoAccountStore, customer: Customer, bill: Bill, dynamodb_table: str
) -> None:
    other = DynamoAccountStore(dynamodb_table, open_client())
    call(other, customer, START)
    other.close()
    call(store, customer, after(0.1))
    assert bill.operations == ["UpdateItem"] * 3


def test_a_call_with_an_idempotency_key_takes_four_writes_of_one_unit_each(
    store: DynamoAccountStore, customer: Customer, bill: Bill
) -> None:
    hold = take_hold(store, customer, now_us=START)
    record = record_of(hold)
    assert store.claim_record(record, now_us=START) is None
    store.complete_record(record)
    store.settle(hold, now_us=after(1))
    assert bill.operations == ["UpdateItem", "PutItem", "UpdateItem", "UpdateItem"]
    assert bill.units == 4


def test_refund_and_get_account_each_make_one_write_that_costs_one_unit(
    store: DynamoAccountStore, customer: Customer, bill: Bill
) -> None:
    hold = take_hold(store, customer, now_us=START)
    bill.clear()
    store.refund(hold, now_us=START, weight=Weight(8, DEFAULT_LIMIT))
    store.get_account(customer.account_id, customer.digest, now_us=START)
    assert (bill.operations, bill.units) == (["UpdateItem"] * 2, 2)


def test_a_call_without_credits_takes_two_writes_and_a_call_over_its_rate_limit_takes_one(
    store: DynamoAccountStore, bill: Bill
) -> None:
    customer = open_account(store, 0, limit=RateLimit(per_minute=1, burst=1))
    for refusal, writes in ((InsufficientCreditsError, 2), (RateLimitError, 1)):
        bill.clear()
        with pytest.raises(refusal):
            store.reserve(customer.hold(), now_us=START)
        assert bill.operations == ["UpdateItem"] * writes


def test_a_write_to_an_account_with_two_keys_and_a_year_of_usage_costs_one_unit(
    store: DynamoAccountStore, customer: Customer, bill: Bill, dynamodb_table: str
) -> None:
    for month in range(12):
        call(store, customer, after(month * MONTH_S))
        bill.clear()
        call(store, customer, after(month * MONTH_S + 1))
    assert bill.units == 2
    assert size(stored(dynamodb_table, customer)) < KILOBYTE


def test_first_call_of_a_month_moves_the_keys_past_usage_to_another_item_in_one_transaction(
    store: DynamoAccountStore, customer: Customer, bill: Bill
) -> None:
    call(store, customer, START)
    bill.clear()
    call(store, customer, after(MONTH_S))
    assert bill.operations == ["UpdateItem", "TransactWriteItems", "UpdateItem"]
    assert bill.units <= 2 + 4


def test_calls_at_the_rate_limit_of_a_key_cost_less_than_three_units_on_average(
    store: DynamoAccountStore, customer: Customer, bill: Bill
) -> None:
    calls_per_minute = DEFAULT_LIMIT.per_minute
    for number in range(4 * calls_per_minute):
        if number == 3 * calls_per_minute:
            bill.clear()
        call(store, customer, after(60 * number / calls_per_minute))
    assert bill.units / calls_per_minute < 3


def test_a_call_deletes_40_old_tombstones_and_adds_its_own_tombstone(
    store: DynamoAccountStore, customer: Customer, dynamodb_table: str
) -> None:
    for number in range(40):
        call(store, customer, after(number))
    assert ended(stored(dynamodb_table, customer)) == 40
    call(store, customer, after(240))
    assert ended(stored(dynamodb_table, customer)) == 1


def test_revoked_keys_do_not_increase_the_write_units_of_a_call(
    store: DynamoAccountStore, customer: Customer, bill: Bill, dynamodb_table: str
) -> None:
    account_id = customer.account_id
    rotated = next(
        key.digest
        for key in store.read_account(account_id, now_us=START).keys
        if key.digest != customer.digest
    )
    for _ in range(60):
        store.revoke_key(account_id, rotated)
        new = key_record(account_id, limit=DEFAULT_LIMIT)
        store.add_key(new, now_us=START)
        rotated = new.digest
    call(store, customer, after(60))
    bill.clear()
    call(store, customer, after(3600))
    assert (bill.operations, bill.units) == (["UpdateItem"] * 2, 2)
    assert size(stored(dynamodb_table, customer)) < KILOBYTE
    listed = store.read_account(account_id, now_us=after(3600)).keys
    assert sum(key.revoked for key in listed) == 60
    assert len(listed) == 62


def test_calls_move_revoked_and_expired_keys_from_the_item_of_the_account_into_separate_items(
    store: DynamoAccountStore, customer: Customer, bill: Bill, dynamodb_table: str
) -> None:
    old = write_old_keys(dynamodb_table, customer, 100)
    assert size(stored(dynamodb_table, customer)) > 10 * KILOBYTE
    for number in range(10):
        call(store, customer, after(3600 + number))
    bill.clear()
    call(store, customer, after(7200))
    assert (bill.operations, bill.units) == (["UpdateItem"] * 2, 2)
    listed = {key.digest: key for key in store.read_account(customer.account_id, now_us=START).keys}
    assert len(listed) == 102
    assert all(listed[key.digest] == key for key in old)


def write_old_keys(table_name: str, customer: Customer, number: int) -> list[KeyRecord]:
    """Write revoked and expired keys into the account's item, as the store's first version did."""
    client: Any = open_client()
    written = []
    for index in range(number):
        is_revoked = bool(index % 2)
        key = key_record(customer.account_id, expires_us=None if is_revoked else after(5))
        key = replace(key, revoked=is_revoked)
        written.append(key)
        client.update_item(
            TableName=table_name,
            Key=marshal_item(schema.account_key(customer.account_id)),
            UpdateExpression="SET #k.#d = :k",
            ExpressionAttributeNames={"#k": "keys", "#d": key.digest},
            ExpressionAttributeValues={":k": {"M": marshal_item(key_item(key))}},
        )
    client.close()
    return written


def test_one_write_releases_many_expired_holds(
    store: DynamoAccountStore, customer: Customer, bill: Bill
) -> None:
    for _ in range(20):
        store.reserve(customer.hold(3), now_us=START)
    bill.clear()
    standing = store.authorize(customer.account_id, customer.digest, now_us=after(3600))
    assert standing.credits_left == 1_000_000
    assert bill.operations == ["UpdateItem"] * 2


def ended(item: dict[str, Any]) -> int:
    return sum(len(item[name]["BS"]) for name in item if name.startswith("ended"))

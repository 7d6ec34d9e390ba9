"""Amounts in DynamoDB's items are decimal numbers; older versions wrote whole credits."""

from __future__ import annotations

import secrets
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.accounts.customer import (
    START,
    Customer,
    after,
    entry,
    key_record,
    new_id,
    open_account,
    take_hold,
)

from blur.accounts import keys
from blur.accounts.audit import differences
from blur.accounts.dynamo import schema
from blur.accounts.dynamo.account_store import DynamoAccountStore
from blur.accounts.dynamo.items import key_item
from blur.accounts.dynamo.values import marshal_item
from blur.accounts.model import EntryKind, Hold, Usage
from blur.credits import QUARTER, whole
from blur.errors import InsufficientCreditsError, UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from tests.integration.accounts.dynamodb_local import DynamoDBLocal


@pytest.fixture(scope="module")
def dynamodb_table(dynamodb: DynamoDBLocal) -> str:
    """Create a separate table, because these tests leave invalid items in it."""
    return dynamodb.create_table(new_id("amounts"))


@pytest.fixture
def store(dynamodb_table: str, client: DynamoDBClient) -> DynamoAccountStore:
    return DynamoAccountStore(dynamodb_table, client)


@pytest.fixture
def old(dynamodb_table: str, client: DynamoDBClient) -> Customer:
    """Write the items of an account as an older version did, which counted whole credits."""
    account_id = keys.new_account_id(secrets.token_bytes)
    key = key_record(account_id)
    items: tuple[dict[str, Any], ...] = (
        {
            **schema.account_key(account_id),
            "name": "A customer",
            "created": START,
            "balance": 111,
            "granted": 117,
            "used": 3,
            "v": START,
            "calls2026-12": 1,
            "credits2026-12": 2,
            "calls2027-01": 1,
            "credits2027-01": 1,
            "holds": {"running": {"c": 3, "x": after(60)}},
            "keys": {key.digest: key_item(key)},
        },
        {
            **schema.entry_key(account_id, "invoice-7"),
            "entry_id": "invoice-7",
            "kind": "top_up",
            "credits": 117,
            "v": START,
            "at_us": START,
            "note": "",
        },
    )
    for item in items:
        client.put_item(TableName=dynamodb_table, Item=marshal_item(item))
    return Customer(account_id, key.digest)


def item_of(client: DynamoDBClient, table: str, account_id: str) -> dict[str, Any]:
    key = marshal_item(schema.account_key(account_id))
    return dict(client.get_item(TableName=table, Key=key)["Item"])


def numbers(item: dict[str, Any], *names: str) -> list[str]:
    return [item[name]["N"] for name in names]


def test_an_account_from_an_older_version_is_read_with_the_same_credits(
    store: DynamoAccountStore, old: Customer
) -> None:
    read = store.read_with_ledger(old.account_id, now_us=after(1))
    account = read.account
    assert (account.balance, account.held) == (whole(111), whole(3))
    assert (account.granted, account.used) == (whole(117), whole(3))
    assert account.usage == {"2026-12": Usage(1, whole(2)), "2027-01": Usage(1, whole(1))}
    assert [line.credits for line in read.entries] == [whole(117)]
    assert list(differences(account, read.entries)) == []


def test_a_hold_from_an_older_version_is_settled_at_the_price_in_the_hold(
    store: DynamoAccountStore, old: Customer
) -> None:
    hold = Hold("running", old.account_id, old.digest, whole(3), after(60))
    status = store.settle(hold, now_us=after(1))
    assert (status.credits_charged, status.credits_left) == (whole(3), whole(111))


def test_the_credits_of_an_expired_hold_from_an_older_version_are_in_the_balance_again(
    store: DynamoAccountStore, old: Customer
) -> None:
    account = store.read_account(old.account_id, now_us=after(120))
    assert (account.balance, account.held) == (whole(114), 0)


def test_an_entry_that_an_older_version_wrote_is_not_counted_again_if_it_is_added_again(
    store: DynamoAccountStore, old: Customer
) -> None:
    line = entry(old.account_id, whole(117), EntryKind.TOP_UP)
    store.append_entry(replace(line, entry_id="invoice-7"))
    assert store.read_account(old.account_id, now_us=after(1)).granted == whole(117)


def test_whole_numbers_of_credits_are_written_as_older_versions_write_them(
    store: DynamoAccountStore, client: DynamoDBClient, dynamodb_table: str
) -> None:
    customer = open_account(store, whole(10))
    store.settle(take_hold(store, customer, whole(1), now_us=START), now_us=START)
    store.reserve(customer.hold(whole(2)), now_us=START)
    item = item_of(client, dynamodb_table, customer.account_id)
    amounts = numbers(item, "balance", "granted", "used", "credits2027-01")
    (held,) = item["holds"]["M"].values()
    assert [*amounts, held["M"]["c"]["N"]] == ["7", "10", "1", "1", "2"]


def test_quarters_are_stored_as_exact_decimals(
    store: DynamoAccountStore, client: DynamoDBClient, dynamodb_table: str, old: Customer
) -> None:
    for price in (1, 3, 4, 1):
        store.settle(take_hold(store, old, price, now_us=after(1)), now_us=after(2))
    store.reserve(old.hold(3), now_us=after(2))
    line = entry(old.account_id, -QUARTER, EntryKind.ADJUSTMENT)
    store.append_entry(line)
    item = item_of(client, dynamodb_table, old.account_id)
    amounts = numbers(item, "balance", "granted", "used", "credits2027-01")
    assert amounts == ["107.75", "116.75", "5.25", "3.25"]
    prices = {held["M"]["c"]["N"] for held in item["holds"]["M"].values()}
    assert prices == {"3", "0.75"}
    key = marshal_item(schema.entry_key(old.account_id, line.entry_id))
    assert client.get_item(TableName=dynamodb_table, Key=key)["Item"]["credits"] == {"N": "-0.25"}
    read = store.read_with_ledger(old.account_id, now_us=after(120))
    assert (read.account.balance, read.account.held) == (whole(111) + 2, 0)
    assert list(differences(read.account, read.entries)) == []


def test_call_is_rejected_if_the_balance_is_a_quarter_of_a_credit_below_the_price(
    store: DynamoAccountStore,
) -> None:
    customer = open_account(store, whole(1) - QUARTER)
    with pytest.raises(InsufficientCreditsError, match=r"costs 1 credit; .* has 0\.75 left"):
        store.reserve(customer.hold(whole(1)), now_us=START)
    assert store.reserve(customer.hold(3), now_us=START).credits_left == 0


@pytest.mark.parametrize(
    "attribute", list(product(("balance", "used", "credits2027-01"), ("0.3", "0.125", "1e-30")))
)
def test_an_account_with_an_amount_that_is_not_a_multiple_of_a_quarter_cannot_be_used(
    store: DynamoAccountStore,
    client: DynamoDBClient,
    dynamodb_table: str,
    old: Customer,
    attribute: tuple[str, str],
) -> None:
    name, amount = attribute
    client.update_item(
        TableName=dynamodb_table,
        Key=marshal_item(schema.account_key(old.account_id)),
        UpdateExpression="SET #name = :amount",
        ExpressionAttributeNames={"#name": name},
        ExpressionAttributeValues={":amount": {"N": amount}},
    )
    with pytest.raises(UnavailableError):
        store.read_account(old.account_id, now_us=START)
    with pytest.raises(UnavailableError):  # DynamoDB's rejection contains the item
        store.reserve(old.hold(whole(1000)), now_us=START)

"""The table's schema, the store's imports, clock skew, and repeated writes that arrive late."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from tests.integration.accounts.customer import (
    START,
    TTL_US,
    after,
    new_id,
    open_account,
    take_hold,
)

from blur.accounts.dynamo import schema
from blur.accounts.dynamo.account_store import DynamoAccountStore
from blur.accounts.model import IdempotencyRecord, Instant
from blur.skew import CLOCK_SKEW_US

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TimeToLiveSpecificationTypeDef
    from tests.integration.accounts.dynamodb_local import DynamoDBLocal

TTL_S, SKEW_S = TTL_US / 1_000_000, CLOCK_SKEW_US / 1_000_000

IMPORT_ALL_EXCEPT_AWS = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if module.name not in (
        "blur.accounts.dynamo.account_store",
        "blur.accounts.dynamo.client",
        "blur.aws",
        "blur.job_handler",
        "blur.job_keeper_handler",
        "blur.jobs.dynamo.job_store",
        "blur.jobs.sqs",
        "blur.lambda_handler",
        "blur.pre_traffic_handler",
        "blur.storage.bucket",
        "blur.storage.job_bucket",
    ):
        importlib.import_module(module.name)
print(*(name for name in sys.argv[2:] if name in sys.modules))
"""
"""Imports all modules that do not use AWS, and prints the unwanted modules that are then loaded."""


def test_a_created_table_has_the_defined_schema(
    dynamodb: DynamoDBLocal, client: DynamoDBClient
) -> None:
    name = dynamodb.create_table(new_id("definition"))
    created = client.describe_table(TableName=name)["Table"]
    assert created["KeySchema"] == schema.SCHEMA["KeySchema"]
    by_name = {kind["AttributeName"]: kind for kind in created["AttributeDefinitions"]}
    assert list(by_name.values()) == schema.SCHEMA["AttributeDefinitions"]
    assert created["BillingModeSummary"]["BillingMode"] == schema.SCHEMA["BillingMode"]


def test_ttl_attribute_of_an_idempotency_record_is_not_earlier_than_its_expiry(
    dynamodb: DynamoDBLocal, client: DynamoDBClient
) -> None:
    name = dynamodb.create_table(new_id("ttl"))
    on: TimeToLiveSpecificationTypeDef = {"AttributeName": schema.TTL_ATTRIBUTE, "Enabled": True}
    client.update_time_to_live(TableName=name, TimeToLiveSpecification=on)
    described = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert described["AttributeName"] == schema.TTL_ATTRIBUTE
    store = DynamoAccountStore(name, client)
    forget_us = after(24 * 3600)
    record = IdempotencyRecord("a" * 12, "scope", "print", "hold", False, after(60), forget_us)  # noqa: FBT003 - the value is for the field `done`
    assert store.claim_record(record, now_us=START) is None
    (item,) = client.scan(TableName=name)["Items"]
    assert int(item[schema.TTL_ATTRIBUTE]["N"]) * 1_000_000 >= forget_us
    late_us = Instant(forget_us + CLOCK_SKEW_US)
    assert store.find_record("a" * 12, "scope", now_us=late_us) is None


# Powertools imports botocore's root package for its user agent. This import is allowed, because the
# package is small and the import creates no client.
@pytest.mark.parametrize(
    ("package", "unwanted"),
    [
        ("blur.accounts", ("boto3", "botocore")),
        ("blur", ("boto3", "botocore.client", "botocore.session")),
    ],
)
def test_only_the_modules_for_aws_import_boto(package: str, unwanted: tuple[str, ...]) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL_EXCEPT_AWS, package, *unwanted],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == []


def test_a_machine_with_a_fast_clock_does_not_release_another_machines_hold_early(
    dynamodb_table: str, client: DynamoDBClient
) -> None:
    store = DynamoAccountStore(dynamodb_table, client)
    customer = open_account(store, 10)
    hold = take_hold(store, customer, 3, now_us=START)
    fast = store.read_account(customer.account_id, now_us=after(TTL_S + SKEW_S - 0.000001))
    assert (fast.balance, fast.held) == (7, 3)
    assert store.settle(hold, now_us=after(TTL_S - 0.000001)).credits_charged == 3


def test_hold_is_released_5_seconds_after_its_expiry_because_clocks_differ(
    dynamodb_table: str, client: DynamoDBClient
) -> None:
    store = DynamoAccountStore(dynamodb_table, client)
    customer = open_account(store, 10)
    store.reserve(customer.hold(3), now_us=START)
    home = store.read_account(customer.account_id, now_us=after(TTL_S + SKEW_S))
    assert (home.balance, home.held) == (10, 0)


def test_writes_that_arrive_again_after_the_end_of_their_call_change_nothing(
    dynamodb_table: str, client: DynamoDBClient
) -> None:
    sent: list[dict[str, Any]] = []
    client.meta.events.register(
        "provide-client-params.dynamodb.UpdateItem",
        lambda params, **_: sent.append(dict(params)),
        unique_id="copies",
    )
    store = DynamoAccountStore(dynamodb_table, client)
    customer = open_account(store, 10)
    sent.clear()
    store.settle(take_hold(store, customer, 3, now_us=START), now_us=after(1))
    store.refund(take_hold(store, customer, 2, now_us=START), now_us=after(1))
    client.meta.events.unregister("provide-client-params.dynamodb.UpdateItem", unique_id="copies")
    key = sent[0]["Key"]
    before = client.get_item(TableName=dynamodb_table, Key=key)["Item"]
    assert len(sent) == 4
    for copy in sent:
        with pytest.raises(ClientError, match="ConditionalCheckFailed"):
            client.update_item(**copy)
    assert client.get_item(TableName=dynamodb_table, Key=key)["Item"] == before

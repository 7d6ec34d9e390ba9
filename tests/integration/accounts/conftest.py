"""Fixtures for tests of the account stores: a test with `store` runs once for each store."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.clocks import Clock
from tests.integration.accounts.customer import MakeAccount, open_account
from tests.integration.accounts.repeated_calls import service_of

from blur.accounts.dynamo.client import open_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb.client import DynamoDBClient
    from tests.integration.accounts.dynamodb_local import DynamoDBLocal

    from blur.accounts.ports import AccountStore
    from blur.service import ImageService


@pytest.fixture
def client(dynamodb: DynamoDBLocal) -> Iterator[DynamoDBClient]:
    """Return a client of DynamoDB Local that reads and writes the items of tables."""
    assert dynamodb.endpoint_url
    client = open_client()
    yield client
    client.close()


@pytest.fixture
def make_account(store: AccountStore) -> MakeAccount:
    return partial(open_account, store)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(store: AccountStore, clock: Clock) -> ImageService:
    return service_of(store, clock)

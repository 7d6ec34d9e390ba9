"""Fixtures: a store with a separate table, and the permissions that its requests need."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.accounts.customer import new_id

from blur.accounts.dynamo.account_store import DynamoAccountStore
from blur.accounts.dynamo.client import open_client

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.integration.accounts.dynamodb_local import DynamoDBLocal

PARTS = {"Get": "GetItem", "Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}
"""The permission for each part of a transaction; the transaction itself needs no permission
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html)."""


@pytest.fixture
def table(dynamodb: DynamoDBLocal) -> str:
    return dynamodb.create_table(new_id("recorded"))


@pytest.fixture
def sent() -> set[str]:
    """The permissions that the requests of `store` have needed so far."""
    return set()


@pytest.fixture
def store(table: str, sent: set[str]) -> Iterator[DynamoAccountStore]:
    client = open_client()

    def note(model: Any, params: Mapping[str, Any], **_: object) -> None:  # noqa: ANN401 - boto has no types
        needed = operations(model.name, json.loads(params["body"]))
        sent.update(f"dynamodb:{each}" for each in needed)

    client.meta.events.register("before-call.dynamodb", note)
    store = DynamoAccountStore(table, client)
    yield store
    store.close()


def operations(name: str, request: Mapping[str, Any]) -> set[str]:
    """Return the names of the operations for which the request needs permissions."""
    if "TransactItems" not in request:
        return {name}
    return {PARTS[kind] for part in request["TransactItems"] for kind in part}

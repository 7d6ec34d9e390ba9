"""The nightly audit of a table: exact accounts, a wrong one, and its permissions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.accounts.customer import (
    START,
    after,
    key_record,
    new_id,
    open_account,
    take_hold,
)
from tests.integration.stack.test_template import resources, statements, template

from blur import audit_handler
from blur.accounts.dynamo import schema
from blur.accounts.dynamo.account_store import DynamoAccountStore
from blur.accounts.dynamo.client import open_client
from blur.accounts.dynamo.values import marshal_item

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.accounts.dynamodb_local import DynamoDBLocal

__all__ = ["resources", "template"]  # fixtures

MONTH_S = 31 * 24 * 3600
PERMISSIONS = {
    "TransactGetItems": {"dynamodb:GetItem"},
    "TransactWriteItems": {"dynamodb:UpdateItem"},
}
"""The permissions that a transaction needs: those of its parts."""


@pytest.fixture
def table(dynamodb: DynamoDBLocal) -> str:
    """Create a separate table, because the audit reads every account."""
    return dynamodb.create_table(new_id("audited"))


@pytest.fixture
def sent() -> set[str]:
    return set()


@pytest.fixture
def store(table: str, sent: set[str]) -> Iterator[DynamoAccountStore]:
    client = open_client()

    def note(model: Any, **_: object) -> None:  # noqa: ANN401 - boto's
        sent.update(PERMISSIONS.get(model.name, {f"dynamodb:{model.name}"}))

    client.meta.events.register("before-call.dynamodb", note)
    store = DynamoAccountStore(table, client)
    yield store
    store.close()


def change(table: str, account_id: str, **attributes: int) -> None:
    """Change an account's item by hand, as no part of the service does."""
    client = open_client()
    for name, value in attributes.items():
        client.update_item(
            TableName=table,
            Key=marshal_item(schema.account_key(account_id)),
            UpdateExpression="SET #name = :value",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={":value": {"N": str(value)}},
        )
    client.close()


def run(
    table: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Run the handler as Lambda does; return its result and the lines that it printed."""
    monkeypatch.setenv("BLUR_ACCOUNTS", f"dynamodb:{table}")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "audit")
    capsys.readouterr()
    result = audit_handler.handler({}, None)
    return result, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_exact_accounts_have_no_difference_and_a_changed_one_is_reported(
    store: DynamoAccountStore,
    table: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrong, right = open_account(store, 8), open_account(store, 8)
    for customer in (wrong, right):
        store.settle(take_hold(store, customer, 4, now_us=START), now_us=START, pixels=1)
    assert run(table, monkeypatch, capsys)[0] == {"accounts": 2, "differences": 0}
    change(table, wrong.account_id, balance=7)
    result, printed = run(table, monkeypatch, capsys)
    assert result == {"accounts": 2, "differences": 1}
    (error,) = [vars(line) for line in caplog.records if line.levelname == "ERROR"]
    assert error["account"] == wrong.account_id
    assert "granted 2 - used 1 is not balance 7 + held 0" in error["difference"]
    (measured,) = [line for line in printed if "_aws" in line]
    assert (measured["AuditDifferences"], measured["AuditedAccounts"]) == ([1.0], [2.0])
    assert measured["service"] == "background-blur"


def test_a_key_with_another_usage_than_its_account_is_a_difference(
    store: DynamoAccountStore, table: str
) -> None:
    customer = open_account(store, 8)
    store.settle(take_hold(store, customer, 4, now_us=START), now_us=START, pixels=1)
    assert audit_handler.audit_now(store, after(1)).differences == ()
    change(table, customer.account_id, **{f"u2701{customer.digest[:12]}q": 5})
    for at_us in (after(1), after(17 * 24 * 3600)):  # in this month, and early in the next one
        (found,) = audit_handler.audit_now(store, at_us).differences
        assert found.account_id == customer.account_id
        assert found.text.startswith("2027-01: ")


def test_the_role_of_the_audit_allows_exactly_its_operations(
    store: DynamoAccountStore, sent: set[str], resources: dict[str, Any]
) -> None:
    customer = open_account(store, 8)
    ended = key_record(customer.account_id)
    store.add_key(ended, now_us=START)
    store.settle(take_hold(store, customer, now_us=START), now_us=START, pixels=1)
    take_hold(store, customer, now_us=after(1))  # lost: it expires
    store.revoke_key(customer.account_id, ended.digest)
    sent.clear()
    assert audit_handler.audit_now(store, after(MONTH_S - 10 * 24 * 3600)).differences == ()
    (allowed,) = (each for each in statements(resources, "AuditRole") if each["Sid"] == "Accounts")
    assert sent == set(allowed["Action"])

"""The nightly audit of a table: correct accounts, a wrong account, and the audit's permissions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from tests.integration.accounts.customer import START, after, key_record, open_account, take_hold
from tests.integration.accounts.recorded_store import sent, store, table
from tests.integration.stack.template_file import resources, statements, template

from bgblur.cli import main
from blur import audit_handler
from blur.accounts.dynamo import schema
from blur.accounts.dynamo.client import open_client
from blur.accounts.dynamo.values import marshal_item
from blur.accounts.usage import bill_lines
from blur.errors import UnavailableError

if TYPE_CHECKING:
    from blur.accounts.audit import Difference
    from blur.accounts.dynamo.account_store import DynamoAccountStore
    from blur.accounts.dynamo.values import Item
    from blur.accounts.model import Instant

__all__ = ["resources", "sent", "store", "table", "template"]  # the tests use these fixtures

MONTH_S = 31 * 24 * 3600


def change(table: str, account_id: str, **attributes: int) -> None:
    """Change an account's item directly in the table; the service never does this."""
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


def remove(table: str, key: Item, *path: str) -> None:
    """Remove an attribute of an item directly in the table."""
    client = open_client()
    names = {f"#{number}": name for number, name in enumerate(path)}
    client.update_item(
        TableName=table,
        Key=marshal_item(key),
        UpdateExpression=f"REMOVE {'.'.join(names)}",
        ExpressionAttributeNames=names,
    )
    client.close()


def differences(store: DynamoAccountStore, now_us: Instant) -> list[Difference]:
    parts = audit_handler.audit_now(store, now_us)
    return [difference for part in parts for difference in part.differences]


def run(
    table: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Run the handler as Lambda does; return its result and the lines that it printed."""
    monkeypatch.setenv("BLUR_ACCOUNTS", f"dynamodb:{table}")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "audit")
    capsys.readouterr()
    result = audit_handler.handler({}, None)
    return result, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_the_audit_reports_an_account_with_a_wrong_balance_but_not_a_correct_account(
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
    assert "granted 2 - used 1 is not equal to balance 7 + held 0" in error["difference"]
    (measured,) = [line for line in printed if "_aws" in line]
    assert (measured["AuditDifferences"], measured["AuditedAccounts"]) == ([1.0], [2.0])
    assert measured["service"] == "background-blur"


def test_differences_are_reported_even_if_a_later_account_cannot_be_read(
    store: DynamoAccountStore,
    table: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    customers = [open_account(store, 8) for _ in range(3)]
    wrong, unreadable, _ = sorted(customer.account_id for customer in customers)
    change(table, wrong, balance=7)
    entry = schema.entry_key(unreadable, "payment-1") | {"entry_id": "payment-1", "credits": 1}
    client = open_client()
    client.put_item(TableName=table, Item=marshal_item(entry) | {"credits": {"N": "0.1"}})
    client.close()
    command = CliRunner().invoke(
        main, ["accounts", "audit"], env={"BLUR_ACCOUNTS": f"dynamodb:{table}"}
    )
    assert command.exit_code == 1
    first, second = command.output.splitlines()
    assert first.startswith(f"{wrong}: granted 2")
    assert "ENTRY#payment-1" in second
    with pytest.raises(UnavailableError) as raised:
        run(table, monkeypatch, capsys)
    assert unreadable in str(raised.value.__cause__)
    assert "ENTRY#payment-1" in str(raised.value.__cause__)
    (error,) = [vars(line) for line in caplog.records if line.levelname == "ERROR"]
    assert error["account"] == wrong
    assert caplog.records[-1].getMessage() == "the audit is incomplete"
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (measured,) = [line for line in printed if "_aws" in line]
    assert (measured["AuditDifferences"], measured["AuditedAccounts"]) == ([1.0], [1.0])


@pytest.mark.parametrize(
    "attribute", ["balance", "granted", "used", "holds", "keys", "name", "created"]
)
def test_error_for_a_missing_attribute_names_the_account_and_the_attribute(
    store: DynamoAccountStore, table: str, attribute: str
) -> None:
    customer = open_account(store, 8)
    remove(table, schema.account_key(customer.account_id), attribute)
    with pytest.raises(UnavailableError) as raised:
        differences(store, after(1))
    assert customer.account_id in str(raised.value.__cause__)
    assert attribute in str(raised.value.__cause__)


def test_a_table_of_several_megabytes_is_read_to_its_end(
    store: DynamoAccountStore, table: str
) -> None:
    customers = [open_account(store, 8) for _ in range(6)]
    client = open_client()
    for customer in customers:  # a page of a scan has at most one megabyte of items
        store.settle(take_hold(store, customer, 4, now_us=START), now_us=START, pixels=1)
        for number in range(2):
            key = schema.account_key(customer.account_id) | {schema.SORT_KEY: f"OTHER#{number}"}
            client.put_item(TableName=table, Item=marshal_item({**key, "text": "x" * 300_000}))
        change(table, customer.account_id, balance=7)
    client.close()
    found = {difference.account_id for difference in differences(store, after(1))}
    assert found == {customer.account_id for customer in customers}
    months = [store.list_usage("2027-01", now_us=after(at_s)) for at_s in (1, 40 * 24 * 3600)]
    assert [len(list(month)) for month in months] == [6, 6]


def test_usage_of_a_key_that_is_missing_in_its_account_is_listed_without_a_prefix(
    store: DynamoAccountStore, table: str
) -> None:
    customer = open_account(store, 8)
    store.settle(take_hold(store, customer, 4, now_us=START), now_us=START, pixels=1)
    remove(table, schema.account_key(customer.account_id), "keys", customer.digest)
    assert differences(store, after(1)) == []
    (account,) = store.list_usage("2027-01", now_us=after(1))
    (line,) = bill_lines(account)
    assert (line.prefix, line.counts.calls, line.counts.credits) == (None, 1, 4)


def test_the_audit_reports_an_account_whose_usage_differs_from_the_usage_of_its_keys(
    store: DynamoAccountStore, table: str
) -> None:
    customer = open_account(store, 8)
    store.settle(take_hold(store, customer, 4, now_us=START), now_us=START, pixels=1)
    assert differences(store, after(1)) == []
    change(table, customer.account_id, **{f"u2701{customer.digest[:12]}q": 5})
    # The audit checks the usage of a month in that month and in the first week of the next month.
    for at_us in (after(1), after(17 * 24 * 3600)):
        (found,) = differences(store, at_us)
        assert found.account_id == customer.account_id
        assert found.text.startswith("2027-01: ")


def test_audit_role_allows_exactly_the_operations_of_the_audit(
    store: DynamoAccountStore, sent: set[str], resources: dict[str, Any]
) -> None:
    customer = open_account(store, 8)
    ended = key_record(customer.account_id)
    store.add_key(ended, now_us=START)
    store.settle(take_hold(store, customer, now_us=START), now_us=START, pixels=1)
    take_hold(store, customer, now_us=after(1))  # the call is lost, so its hold expires
    store.revoke_key(customer.account_id, ended.digest)
    sent.clear()
    assert differences(store, after(MONTH_S - 10 * 24 * 3600)) == []
    (allowed,) = (each for each in statements(resources, "AuditRole") if each["Sid"] == "Accounts")
    assert sent == set(allowed["Action"])

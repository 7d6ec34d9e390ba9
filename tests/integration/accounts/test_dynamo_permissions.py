"""The image function's role has exactly the permissions that its requests to DynamoDB need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.integration.accounts.customer import START, after, open_account, record_of, take_hold
from tests.integration.accounts.recorded_store import sent, store, table
from tests.integration.stack.template_file import resources, statements, template

if TYPE_CHECKING:
    from blur.accounts.dynamo.account_store import DynamoAccountStore

__all__ = ["resources", "sent", "store", "table", "template"]  # the tests use these fixtures


def test_role_of_the_image_function_allows_exactly_the_operations_of_the_store(
    store: DynamoAccountStore, sent: set[str], resources: dict[str, Any]
) -> None:
    customer = open_account(store, 10)
    sent.clear()
    store.authorize(customer.account_id, customer.digest, now_us=START)
    store.get_account(customer.account_id, customer.digest, now_us=START)
    store.refund(take_hold(store, customer, now_us=START), now_us=START)
    hold = take_hold(store, customer, now_us=START)
    record = record_of(hold)
    assert store.claim_record(record, now_us=START) is None
    assert store.find_record(customer.account_id, record.scope, now_us=START) is not None
    store.release_record(record)
    store.claim_record(record, now_us=START)
    store.complete_record(record)
    store.settle(hold, now_us=after(1))
    store.reserve(customer.hold(now_us=after(2)), now_us=after(2))
    store.authorize(customer.account_id, customer.digest, now_us=after(24 * 3600))
    (allowed,) = (each for each in statements(resources) if each["Sid"] == "Accounts")
    assert sent == set(allowed["Action"])

"""The one definition of the DynamoDB table, as data: stores, templates and tests read it here.

| item | `pk` | `sk` |
|---|---|---|
| account | `ACCT#<account id>` | `ACCOUNT` |
| ledger entry | `ACCT#<account id>` | `ENTRY#<entry id>` |
| key that has ended | `ACCT#<account id>` | `KEY#<SHA-256 of the key>` |
| idempotency record | `ACCT#<account id>` | `IDEM#<scope>` |

A ledger entry is found by its id alone, so that no id is entered twice, whatever instant a
repetition carries; a reader sorts by the instant. Only idempotency records carry the `ttl`
attribute. DynamoDB deletes them some time after it has passed, typically within a few days
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html), so that no code
may take a record's absence, or its presence, for its age.
"""

from __future__ import annotations

from typing import Any

PARTITION_KEY = "pk"
SORT_KEY = "sk"
TTL_ATTRIBUTE = "ttl"
ACCOUNT = "ACCOUNT"
ENTRY = "ENTRY#"
RECORD = "IDEM#"
ENDED_KEY = "KEY#"

SCHEMA: dict[str, Any] = {
    "AttributeDefinitions": [
        {"AttributeName": PARTITION_KEY, "AttributeType": "S"},
        {"AttributeName": SORT_KEY, "AttributeType": "S"},
    ],
    "KeySchema": [
        {"AttributeName": PARTITION_KEY, "KeyType": "HASH"},
        {"AttributeName": SORT_KEY, "KeyType": "RANGE"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
}
"""What `CreateTable` and `AWS::DynamoDB::Table` take alike."""


def creation(table_name: str) -> dict[str, Any]:
    """Return the arguments of `CreateTable`."""
    return {"TableName": table_name, **SCHEMA}


def partition(account_id: str) -> str:
    """Return the partition key of everything that belongs to an account."""
    return f"ACCT#{account_id}"


def account_key(account_id: str) -> dict[str, str]:
    """Return the primary key of an account's item."""
    return {PARTITION_KEY: partition(account_id), SORT_KEY: ACCOUNT}


def entry_key(account_id: str, entry_id: str) -> dict[str, str]:
    """Return the primary key of a ledger entry's item."""
    return {PARTITION_KEY: partition(account_id), SORT_KEY: ENTRY + entry_id}


def ended_key_key(account_id: str, key_digest: str) -> dict[str, str]:
    """Return the primary key of the item of an API key that has ended."""
    return {PARTITION_KEY: partition(account_id), SORT_KEY: ENDED_KEY + key_digest}


def record_key(account_id: str, scope: str) -> dict[str, str]:
    """Return the primary key of an idempotency record's item."""
    return {PARTITION_KEY: partition(account_id), SORT_KEY: RECORD + scope}

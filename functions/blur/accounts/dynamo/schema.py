"""The definition of the DynamoDB table, for the store, `template.yaml` and tests.

| item | `pk` | `sk` |
|---|---|---|
| account | `ACCT#<account id>` | `ACCOUNT` |
| ledger entry | `ACCT#<account id>` | `ENTRY#<entry id>` |
| revoked or expired key | `ACCT#<account id>` | `KEY#<SHA-256 of the key>` |
| usage of the keys in a past month | `ACCT#<account id>` | `USAGE#<YYYY-MM>` |
| idempotency record | `ACCT#<account id>` | `IDEM#<scope>` |

The items of bulk jobs are in the same table, so that one transaction writes a photo's row and its
charge; `blur.jobs.dynamo.items` defines them.

The key of a ledger entry contains only its id, without the time, so that a repeated entry does
not become a second entry. `ledger.py` sorts the entries by their time. Only idempotency records
and items of jobs have the attribute `ttl`. DynamoDB deletes an item after the time in `ttl`,
typically within a few days
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html), so a record that still
exists might have expired.
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
USAGE = "USAGE#"

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
"""The properties that `CreateTable` and `AWS::DynamoDB::Table` share."""


def creation(table_name: str) -> dict[str, Any]:
    """Return the arguments of `CreateTable`."""
    return {"TableName": table_name, **SCHEMA}


def partition(account_id: str) -> str:
    """Return the partition key of an account's items."""
    return f"ACCT#{account_id}"


def account_key(account_id: str) -> dict[str, str]:
    """Return the primary key of an account's item."""
    return {PARTITION_KEY: partition(account_id), SORT_KEY: ACCOUNT}


def entry_key(account_id: str, entry_id: str) -> dict[str, str]:
    """Return the primary key of a ledger entry's item."""
    return {PARTITION_KEY: partition(account_id), SORT_KEY: ENTRY + entry_id}


def ended_key_key(account_id: str, key_digest: str) -> dict[str, str]:
    """Return the primary key of the item of a revoked or expired API key."""
    return {PARTITION_KEY: partition(account_id), SORT_KEY: ENDED_KEY + key_digest}


def usage_key(account_id: str, month: str) -> dict[str, str]:
    """Return the primary key of the item with the keys' usage in a past month."""
    return {PARTITION_KEY: partition(account_id), SORT_KEY: USAGE + month}


def record_key(account_id: str, scope: str) -> dict[str, str]:
    """Return the primary key of an idempotency record's item."""
    return {PARTITION_KEY: partition(account_id), SORT_KEY: RECORD + scope}

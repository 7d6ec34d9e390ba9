"""Idempotency records in DynamoDB: each change is one conditional write that can be repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.accounts.dynamo import schema
from blur.accounts.dynamo.table import ConditionFailedError, DynamoTable
from blur.accounts.dynamo.values import Expressions
from blur.accounts.model import SECOND_US, IdempotencyRecord
from blur.skew import CLOCK_SKEW_US

if TYPE_CHECKING:
    from blur.accounts.dynamo.values import Item
    from blur.accounts.model import Instant

TTL_MARGIN_S = 24 * 3600
"""The seconds from a record's `forget_us` to the time after which DynamoDB can delete it."""


def claim(
    table: DynamoTable, record: IdempotencyRecord, now_us: Instant
) -> IdempotencyRecord | None:
    """See `CallStore.claim_record`.

    A late copy of this write cannot overwrite the valid record of a finished call.
    """
    free = Expressions()
    past, done = free.value(now_us - CLOCK_SKEW_US), free.path("done")
    free.conditions.append(
        f"(attribute_not_exists({free.path(schema.PARTITION_KEY)})"
        f" OR {free.path('forget_us')} <= {past}"
        f" OR ({done} = {free.value(value=False)} AND {free.path('lease_until_us')} <= {past}))"
    )
    try:
        table.put(_record_item(record), free)
    except ConditionFailedError as failed:
        if failed.item is None:
            raise
        other = _record_of(failed.item, record.account_id, record.scope)
        return None if other.hold_id == record.hold_id else other
    return None


def find(
    table: DynamoTable, account_id: str, scope: str, now_us: Instant
) -> IdempotencyRecord | None:
    """See `CallStore.find_record`."""
    item = table.get(schema.record_key(account_id, scope))
    if item is None:
        return None
    record = _record_of(item, account_id, scope)
    return record if record.is_valid(now_us) else None


def complete(table: DynamoTable, record: IdempotencyRecord) -> bool:
    """See `CallStore.complete_record`."""
    owned = _owned_by(record)
    owned.sets.append(f"{owned.path('done')} = {owned.value(value=True)}")
    try:
        table.update(schema.record_key(record.account_id, record.scope), owned)
    except ConditionFailedError:
        return False
    return True


def release(table: DynamoTable, record: IdempotencyRecord) -> None:
    """See `CallStore.release_record`."""
    owned = _owned_by(record)
    owned.conditions.append(f"{owned.path('done')} = {owned.value(value=False)}")
    try:
        table.delete(schema.record_key(record.account_id, record.scope), owned)
    except ConditionFailedError:
        return


def _record_item(record: IdempotencyRecord) -> Item:
    """Return the item of an idempotency record."""
    return {
        **schema.record_key(record.account_id, record.scope),
        "fingerprint": record.fingerprint,
        "hold_id": record.hold_id,
        "done": record.done,
        "lease_until_us": record.lease_until_us,
        "forget_us": record.forget_us,
        schema.TTL_ATTRIBUTE: record.forget_us // SECOND_US + TTL_MARGIN_S,
    }


def _record_of(item: Item, account_id: str, scope: str) -> IdempotencyRecord:
    """Return the idempotency record that an item stores."""
    return IdempotencyRecord(
        account_id=account_id,
        scope=scope,
        fingerprint=item["fingerprint"],
        hold_id=item["hold_id"],
        done=item["done"],
        lease_until_us=item["lease_until_us"],
        forget_us=item["forget_us"],
    )


def _owned_by(record: IdempotencyRecord) -> Expressions:
    owned = Expressions()
    owned.conditions.append(f"{owned.path('hold_id')} = {owned.value(record.hold_id)}")
    return owned

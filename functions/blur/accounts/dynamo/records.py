"""Idempotency records: each step is one conditional write that a repetition cannot undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blur.accounts.dynamo import schema
from blur.accounts.dynamo.items import record_item, record_of
from blur.accounts.dynamo.table import ConditionFailedError, DynamoTable
from blur.accounts.dynamo.values import Expressions
from blur.skew import CLOCK_SKEW_US

if TYPE_CHECKING:
    from blur.accounts.model import IdempotencyRecord, Instant


def claim(
    table: DynamoTable, record: IdempotencyRecord, now_us: Instant
) -> IdempotencyRecord | None:
    """See `CallStore.claim_record`.

    A claim that is delivered again, after its call is done, does not put the record back.
    """
    free = Expressions()
    past, done = free.value(now_us - CLOCK_SKEW_US), free.path("done")
    free.conditions.append(
        f"(attribute_not_exists({free.path(schema.PARTITION_KEY)})"
        f" OR {free.path('forget_us')} <= {past}"
        f" OR ({done} = {free.value(value=False)} AND {free.path('lease_until_us')} <= {past}))"
    )
    try:
        table.put(record_item(record), free)
    except ConditionFailedError as failed:
        if failed.item is None:
            raise
        found = record_of(failed.item, record.account_id, record.scope)
        return None if found.hold_id == record.hold_id else found
    return None


def find(
    table: DynamoTable, account_id: str, scope: str, now_us: Instant
) -> IdempotencyRecord | None:
    """See `CallStore.find_record`."""
    item = table.get(schema.record_key(account_id, scope))
    if item is None:
        return None
    record = record_of(item, account_id, scope)
    return record if record.counts(now_us) else None


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


def _owned_by(record: IdempotencyRecord) -> Expressions:
    owned = Expressions()
    owned.conditions.append(f"{owned.path('hold_id')} = {owned.value(record.hold_id)}")
    return owned

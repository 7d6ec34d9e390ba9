"""The rows of objects in DynamoDB: one transaction changes the account, the row and the job.

All writes for the photos of a job update the items of the account and the job, and DynamoDB cancels
a transaction while another transaction writes the same item. The DynamoDB client
(`Sender`) repeats the cancelled transaction after a short random pause.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from blur.accounts.dynamo import holds, schema
from blur.accounts.dynamo.amounts import stored
from blur.accounts.dynamo.table import ConditionFailedError, DynamoTable, Put, Update
from blur.accounts.dynamo.values import Expressions, Item
from blur.accounts.hold_states import HoldEvent, event_at
from blur.accounts.ports import accounts_unreachable
from blur.credits import ZERO, Credits
from blur.jobs.dynamo.items import FAILED_ROW, ROW, job_key, partition, row_item, row_key, row_of
from blur.jobs.model import JobObject, ObjectState
from blur.jobs.ports import ObjectPage

if TYPE_CHECKING:
    from blur.accounts.dynamo.table import Write
    from blur.accounts.model import Hold, Instant

MAX_ATTEMPTS = 8
"""The maximum number of tries while other writers change the account, the row or the job."""
FINAL_STATES = frozenset(state for state in ObjectState if state.has_ended)


def end(table: DynamoTable, row: JobObject, hold: Hold | None, now_us: Instant) -> bool:
    """See `JobStore.end_object`.

    A rejected transaction returns the items whose conditions were false.
    """
    current, is_waiting = hold, False
    for _ in range(MAX_ATTEMPTS):
        account, charged = _account_writes(row, current, now_us)
        final = replace(row, charged=charged, at_us=now_us)
        row_write = Put(row_item(final, now_us), _row_condition(is_waiting=is_waiting))
        job_write = Update(job_key(row.job_id), _ended(final, is_new=not is_waiting, now_us=now_us))
        try:
            table.transact(row_write, job_write, *_copies(final, now_us), *account)
        except ConditionFailedError as failed:
            stored_row, job, items = failed.items[0], failed.items[1], failed.items
        else:
            return True
        has_ended = stored_row is not None and stored_row["state"] != ObjectState.WAITING
        if has_ended or job is not None or not any(items):  # no item is returned for a missing job
            if hold:
                _refund(table, hold, now_us)
            return False
        is_waiting = is_waiting or stored_row is not None
        if current and account and items[-1] is not None:
            current = _as_held(current, items[-1])
    raise accounts_unreachable()


def park(table: DynamoTable, job_id: str, source: str, now_us: Instant) -> bool:
    """See `JobStore.park_object`."""
    row = JobObject(job_id=job_id, source=source, state=ObjectState.WAITING)
    write = Put(row_item(row, now_us), _row_condition(is_waiting=False))
    try:
        table.transact(write, Update(job_key(job_id), _counted("known")))
    except ConditionFailedError as failed:
        stored_row, job = failed.items
        is_waiting = stored_row is not None and stored_row["state"] == ObjectState.WAITING
        return is_waiting and job is None
    return True


def find(table: DynamoTable, job_id: str, object_id: str) -> JobObject | None:
    """See `JobStore.find_object`."""
    item = table.get(row_key(job_id, object_id))
    return None if item is None else row_of(item)


def page(
    table: DynamoTable,
    job_id: str,
    states: Collection[ObjectState],
    after: str | None,
    limit: int,
) -> ObjectPage:
    """See `JobStore.list_objects`."""
    prefix = FAILED_ROW if set(states) == {ObjectState.FAILED} else ROW
    # If `states` does not contain all final states, it is possible that only a few rows match. So
    # each request to DynamoDB then reads as many rows as possible.
    is_selective = prefix == ROW and not FINAL_STATES.issubset(states)
    condition = Expressions()
    key, sort = condition.path(schema.PARTITION_KEY), condition.path(schema.SORT_KEY)
    first = condition.value(prefix + (after or ""))
    last = condition.value(f"{prefix}~")  # sorts after all hexadecimal digits
    condition.conditions += [
        f"{key} = {condition.value(partition(job_id))}",
        f"{sort} BETWEEN {first} AND {last}",
    ]
    found = (row_of(item) for item in table.query(condition, None if is_selective else limit + 2))
    matching = (row for row in found if row.state in states and row.object_id != after)
    rows = tuple(islice(matching, limit + 1))
    return ObjectPage(rows[:limit], rows[limit - 1].object_id if len(rows) > limit else None)


def _account_writes(
    row: JobObject, hold: Hold | None, now_us: Instant
) -> tuple[list[Write], Credits]:
    """Return the writes that settle, refund or release the hold, and the credits to charge.

    Without a hold, there are no writes and no charge.
    """
    if hold is None:
        return [], ZERO
    event = HoldEvent.SETTLE if row.state is ObjectState.DONE else HoldEvent.REFUND
    charged = ZERO
    match event_at(event, hold.expires_us, now_us):
        case HoldEvent.SETTLE:
            update = holds.settlement(hold, now_us, row.pixels, leaves_tombstone=False)
            charged = hold.price
        case HoldEvent.REFUND:
            is_failed = row.state is ObjectState.FAILED
            update = holds.refunding(hold, now_us, failed=is_failed, leaves_tombstone=False)
        case HoldEvent.EXPIRE:
            update = holds.release({hold.hold_id: {"c": hold.price, "x": hold.expires_us}})
    return [Update(schema.account_key(hold.account_id), update)], charged


def _refund(table: DynamoTable, hold: Hold, now_us: Instant) -> None:
    """Refund a hold, even if its stored price is not `hold.price`."""
    account = holds.refund(table, hold, now_us, None, failed=False)
    held = _as_held(hold, account)
    if held:
        holds.refund(table, held, now_us, None, failed=False)


def _as_held(hold: Hold, account: Item) -> Hold | None:
    """Return the hold with the stored price and expiry, or None if the account does not have it."""
    held = account["holds"].get(hold.hold_id)
    return None if held is None else replace(hold, price=held["c"], expires_us=held["x"])


def _row_condition(*, is_waiting: bool) -> Expressions:
    condition = Expressions()
    if is_waiting:
        state = condition.path("state")
        condition.conditions.append(f"{state} = {condition.value(ObjectState.WAITING)}")
    else:
        key = condition.path(schema.PARTITION_KEY)
        condition.conditions.append(f"attribute_not_exists({key})")
    return condition


def _ended(row: JobObject, *, is_new: bool, now_us: Instant) -> Expressions:
    """Return the update of a job that counts a done, failed or cancelled photo and its charge."""
    update = _counted(row.state, *(["known"] if is_new else []))
    first, started = update.path("first_us"), update.value(now_us - row.duration_ms * 1000)
    update.sets += [
        f"{first} = if_not_exists({first}, {started})",
        f"{update.path('last_us')} = {update.value(now_us)}",
    ]
    update.adds.append(f"{update.path('credits')} {update.value(stored(row.charged))}")
    return update


def _counted(*counters: str) -> Expressions:
    """Return the update that adds 1 to these counters of a job, if the job has not ended."""
    update = Expressions()
    update.conditions += [
        f"attribute_exists({update.path('state')})",
        f"attribute_not_exists({update.path('ended_us')})",
    ]
    update.adds += [f"{update.path(name)} {update.value(1)}" for name in counters]
    return update


def _copies(row: JobObject, now_us: Instant) -> list[Write]:
    """Return a list with the write that copies a failed row; empty for a row in another state."""
    is_failed = row.state is ObjectState.FAILED
    return [Put(row_item(row, now_us, FAILED_ROW), Expressions())] if is_failed else []

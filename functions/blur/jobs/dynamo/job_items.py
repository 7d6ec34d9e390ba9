"""The changes of a job in DynamoDB: each change is one conditional write."""

from __future__ import annotations

import random
from itertools import islice
from typing import TYPE_CHECKING

from blur.accounts.dynamo.schema import PARTITION_KEY, SORT_KEY
from blur.accounts.dynamo.table import ConditionFailedError, Delete, DynamoTable, Put, Update
from blur.accounts.dynamo.values import Expressions, Item
from blur.job_errors import JobNotFoundError
from blur.jobs.dynamo.items import (
    ACTIVE,
    COUNTERS,
    active_items,
    active_keys,
    active_of,
    job_item,
    job_key,
    job_of,
)
from blur.jobs.model import Job, JobState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blur.accounts.model import Instant


def create(table: DynamoTable, job: Job) -> None:
    """See `JobStore.create_job`."""
    absent = Expressions()
    absent.conditions.append(f"attribute_not_exists({absent.path(PARTITION_KEY)})")
    try:
        entries = [Put(entry, Expressions()) for entry in active_items(job)]
        table.transact(Put(job_item(job), absent), *entries)
    except ConditionFailedError:
        return  # the job exists: an earlier call has created it


def find(table: DynamoTable, job_id: str) -> Job:
    """See `JobStore.find_job`."""
    return _require(table.get(job_key(job_id)))


def close(table: DynamoTable, job_id: str, now_us: Instant) -> Job:
    """See `JobStore.close_job`."""
    update = _in_states(JobState.OPEN)
    update.sets += [
        f"{update.path('state')} = {update.value(JobState.CLOSED)}",
        f"{update.path('closed_us')} = {update.value(now_us)}",
    ]
    return _require(_update(table, job_id, update))


def cancel(table: DynamoTable, job_id: str, now_us: Instant) -> Job:
    """See `JobStore.cancel_job`."""
    update = _in_states(JobState.OPEN, JobState.CLOSED)
    update.sets += [
        f"{update.path('state')} = {update.value(JobState.CANCELLED)}",
        f"{update.path('cancelled_us')} = {update.value(now_us)}",
    ]
    return _require(_update(table, job_id, update))


def set_paused(table: DynamoTable, job_id: str, *, is_paused: bool) -> None:
    """See `JobStore.set_paused`."""
    update = _in_states(JobState.OPEN, JobState.CLOSED)
    update.sets.append(f"{update.path('is_paused')} = {update.value(is_paused)}")
    _update(table, job_id, update)


def end(table: DynamoTable, job_id: str, received: int, now_us: Instant) -> bool:
    """See `JobStore.end_job`. The write is repeated if the counts change after the read."""
    item = table.get(job_key(job_id))
    while item is not None and "ended_us" not in item and item["state"] != JobState.OPEN:
        update = _listed_update(item, received, now_us)
        try:
            item = table.update(job_key(job_id), update)
        except ConditionFailedError as failed:
            item = failed.item
        else:
            break
    return item is not None and "ended_us" in item


def record_notification_attempt(
    table: DynamoTable, job_id: str, next_attempt_us: Instant | None
) -> None:
    """See `JobStore.record_notification_attempt`."""
    item = table.get(job_key(job_id))
    if item is None:
        return  # the job has expired
    update = Expressions()
    update.conditions.append(f"attribute_exists({update.path('ended_us')})")
    update.adds.append(f"{update.path('notify_attempts')} {update.value(1)}")
    following = update.path("notify_next_us")
    try:
        if next_attempt_us is None:
            update.removes.append(following)
            entries = active_keys(item["account_id"], job_id)
            leave_lists = [Delete(entry, Expressions()) for entry in entries]
            table.transact(Update(job_key(job_id), update), *leave_lists)
        else:
            update.sets.append(f"{following} = {update.value(next_attempt_us)}")
            table.update(job_key(job_id), update)
    except ConditionFailedError:
        return  # the job has not ended


def list_active(table: DynamoTable) -> Iterator[Job]:
    """See `JobStore.list_active`; each job is read when it is yielded."""
    entries = list(table.query(_in_partition(ACTIVE)))
    for entry in random.sample(entries, len(entries)):
        item = table.with_new_deadline().get(job_key(entry[SORT_KEY]))
        if item is not None:
            yield job_of(item)


def count_active(table: DynamoTable, account_id: str, most: int) -> int:
    """See `JobStore.count_active`."""
    entries = table.query(_in_partition(active_of(account_id)))
    return sum(1 for _ in islice(entries, most))


def _in_partition(key: str) -> Expressions:
    """Return the condition for all items with this partition key."""
    condition = Expressions()
    condition.conditions.append(f"{condition.path(PARTITION_KEY)} = {condition.value(key)}")
    return condition


def _listed_update(item: Item, received: int, now_us: Instant) -> Expressions:
    """Return the write that sets `listed`, the number of files, to `received`.

    If each photo of the job has its final row, the same write ends the job.
    """
    update = _in_states(item["state"])
    update.conditions.append(f"attribute_not_exists({update.path('ended_us')})")
    update.sets.append(f"{update.path('listed')} = {update.value(received)}")
    known, *ended = (item[name] for name in COUNTERS)
    if sum(ended) < max(known, received):
        return update
    for name in COUNTERS:
        update.conditions.append(f"{update.path(name)} = {update.value(item[name])}")
    update.sets.append(f"{update.path('ended_us')} = {update.value(now_us)}")
    if item["state"] == JobState.CLOSED:
        update.sets.append(f"{update.path('state')} = {update.value(JobState.DONE)}")
    if "notify_url" in item:
        update.sets.append(f"{update.path('notify_next_us')} = {update.value(now_us)}")
    return update


def _in_states(*states: JobState) -> Expressions:
    """Return an update that has only the condition that the job is in one of these states."""
    update = Expressions()
    state = update.path("state")
    allowed = ", ".join(update.value(each) for each in states)
    update.conditions.append(f"{state} IN ({allowed})")
    return update


def _update(table: DynamoTable, job_id: str, update: Expressions) -> Item | None:
    """Update the job if the condition is true; return the job's item, or None if it is missing."""
    try:
        return table.update(job_key(job_id), update)
    except ConditionFailedError as failed:
        return failed.item


def _require(item: Item | None) -> Job:
    if item is None:
        raise JobNotFoundError
    return job_of(item)

"""Converts the DynamoDB items of jobs and of objects to the types of `model`, and back.

| item | `pk` | `sk` |
|---|---|---|
| job, with its counts | `JOB#<job id>` | `JOB` |
| row of an object | `JOB#<job id>` | `OBJ#<object id>` |
| copy of the row of a failed object | `JOB#<job id>` | `FAILED#<object id>` |
| entry in the list of active jobs | `JOBS` | `<job id>` |
| entry in the list of an account's active jobs | `JOB#ACCT#<account id>` | `<job id>` |

The items have the attributes of `Job`, `JobObject` and `Notification`, and the following:

| attribute | meaning |
|---|---|
| `credits` | the charge of an object, or of all objects of the job |
| `known` | the number of the job's rows |
| `listed` | the number of photos that the keeper counted after the job was closed or cancelled |
| `ttl` | the time after which DynamoDB can delete the item |

The final row of an object is written in the transaction that settles or refunds the hold, and adds
the object and its charge to the counts of the job. Before its final row, an object can have a
`waiting` row. The rows of failed objects are copied, so that the service can list the failures of a
job without reading all rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blur.accounts.dynamo.amounts import stored
from blur.accounts.dynamo.schema import PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE
from blur.accounts.model import SECOND_US, Instant, KeyKind
from blur.credits import ZERO
from blur.jobs.model import (
    KEPT_S,
    Job,
    JobCounts,
    JobObject,
    JobState,
    Notification,
    ObjectState,
)

if TYPE_CHECKING:
    from blur.accounts.dynamo.values import Item

ACTIVE = "JOBS"
JOB = "JOB"
ROW = "OBJ#"
FAILED_ROW = "FAILED#"
COUNTERS = ("known", "done", "failed", "cancelled")
"""The job's attributes that count rows: all rows, and the rows with each final state."""


def partition(job_id: str) -> str:
    """Return the partition key of a job's items."""
    return f"JOB#{job_id}"


def job_key(job_id: str) -> Item:
    """Return the primary key of a job's item."""
    return {PARTITION_KEY: partition(job_id), SORT_KEY: JOB}


def row_key(job_id: str, object_id: str, prefix: str = ROW) -> Item:
    """Return the primary key of an object's row, or of the row's copy."""
    return {PARTITION_KEY: partition(job_id), SORT_KEY: prefix + object_id}


def active_items(job: Job) -> list[Item]:
    """Return a job's entries in the list of all active jobs and in the list of its account."""
    keys = active_keys(job.account_id, job.job_id)
    return [{**key, TTL_ATTRIBUTE: _ttl(job.created_us)} for key in keys]


def active_keys(account_id: str, job_id: str) -> list[Item]:
    """Return the primary keys of the job's entries in the lists of active jobs."""
    lists = (ACTIVE, active_of(account_id))
    return [{PARTITION_KEY: each, SORT_KEY: job_id} for each in lists]


def active_of(account_id: str) -> str:
    """Return the partition key of an account's list of active jobs.

    This key never equals the partition key of a job, because ids of jobs contain no `#`.
    """
    return partition(f"ACCT#{account_id}")


def job_item(job: Job) -> Item:
    """Return the item of a new job."""
    notification = job.notification
    return {
        **job_key(job.job_id),
        "account_id": job.account_id,
        "key_digest": job.key_digest,
        "key_kind": job.key_kind,
        "parameters": dict(job.parameters),
        "created_us": job.created_us,
        "state": job.state,
        "is_paused": False,
        **dict.fromkeys((*COUNTERS, "listed", "credits"), 0),
        **(_notification_attributes(notification) if notification else {}),
        TTL_ATTRIBUTE: _ttl(job.created_us),
    }


def job_of(item: Item) -> Job:
    """Return the job that an item describes."""
    notification = None
    if "notify_url" in item:
        notification = Notification(
            url=item["notify_url"],
            secret=item["notify_secret"],
            attempts=item["notify_attempts"],
            next_attempt_us=item.get("notify_next_us"),
        )
    return Job(
        job_id=item[PARTITION_KEY].removeprefix(partition("")),
        account_id=item["account_id"],
        key_digest=item["key_digest"],
        key_kind=KeyKind(item["key_kind"]),
        parameters=item["parameters"],
        created_us=item["created_us"],
        state=JobState(item["state"]),
        is_paused=item["is_paused"],
        closed_us=item.get("closed_us"),
        cancelled_us=item.get("cancelled_us"),
        ended_us=item.get("ended_us"),
        first_us=item.get("first_us"),
        last_us=item.get("last_us"),
        counts=JobCounts(
            received=max(item["known"], item["listed"]),
            done=item["done"],
            failed=item["failed"],
            cancelled=item["cancelled"],
            charged=item["credits"],
        ),
        notification=notification,
    )


def row_item(row: JobObject, now_us: Instant, prefix: str = ROW) -> Item:
    """Return the DynamoDB item of a row, or of its copy in the list of failed rows.

    Fields that are None are left out.
    """
    attributes: dict[str, Any] = {
        "source": row.source,
        "state": row.state,
        "credits": stored(row.charged),
        "code": row.code,
        "message": row.message,
        "content_type": row.content_type,
        "duration_ms": row.duration_ms,
        "pixels": row.pixels,
        "at_us": row.at_us,
        TTL_ATTRIBUTE: _ttl(now_us),
    }
    present = {name: value for name, value in attributes.items() if value is not None}
    return {**row_key(row.job_id, row.object_id, prefix), **present}


def row_of(item: Item) -> JobObject:
    """Read an object's row."""
    return JobObject(
        job_id=item[PARTITION_KEY].removeprefix(partition("")),
        source=item["source"],
        state=ObjectState(item["state"]),
        charged=item.get("credits", ZERO),
        code=item.get("code"),
        message=item.get("message"),
        content_type=item.get("content_type"),
        duration_ms=item["duration_ms"],
        pixels=item["pixels"],
        at_us=item.get("at_us"),
    )


def _notification_attributes(notification: Notification) -> Item:
    return {
        "notify_url": notification.url,
        "notify_secret": notification.secret,
        "notify_attempts": 0,
    }


def _ttl(now_us: Instant) -> int:
    return now_us // SECOND_US + KEPT_S

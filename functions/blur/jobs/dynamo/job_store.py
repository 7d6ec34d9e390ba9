"""The distributed store of jobs: `JobStore` in the DynamoDB table of the accounts."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from blur.accounts.dynamo import authorization
from blur.accounts.dynamo.client import Sender
from blur.accounts.dynamo.table import DynamoTable, Send
from blur.accounts.rate import LimiterClock
from blur.jobs.dynamo import job_items, object_items

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

    from blur.accounts.model import Hold, Instant
    from blur.jobs.model import Job, JobObject, ObjectState
    from blur.jobs.ports import ObjectPage

CONFLICT_S = 5.0
"""A write that conflicts with other writes to the same account or job is retried for this many
seconds longer than usual. The result is already computed, so the worker can wait."""


class DynamoJobStore:
    """`JobStore` in the DynamoDB table of the accounts, usable from many threads.

    Every method raises `UnavailableError` in the same cases as the methods of `DynamoAccountStore`.
    If other requests write to the same items, the error comes up to `CONFLICT_S` seconds later. In
    spite of the error, DynamoDB might have applied the write, so the caller repeats the method.
    """

    def __init__(self, table_name: str, client: DynamoDBClient) -> None:
        """Keep the table's name and the client, which `client.open_client` opens."""
        self._table_name = table_name
        self._client = client
        self._limiter = LimiterClock()

    def create_job(self, job: Job) -> None:
        """See `JobStore.create_job`."""
        job_items.create(self._table(), job)

    def find_job(self, job_id: str) -> Job:
        """See `JobStore.find_job`."""
        return job_items.find(self._table(), job_id)

    def close_job(self, job_id: str, *, now_us: Instant) -> Job:
        """See `JobStore.close_job`."""
        return job_items.close(self._table(), job_id, now_us)

    def cancel_job(self, job_id: str, *, now_us: Instant) -> Job:
        """See `JobStore.cancel_job`."""
        return job_items.cancel(self._table(), job_id, now_us)

    def set_paused(self, job_id: str, *, is_paused: bool) -> None:
        """See `JobStore.set_paused`."""
        job_items.set_paused(self._table(), job_id, is_paused=is_paused)

    def reserve_object(self, hold: Hold, *, now_us: Instant) -> None:
        """See `JobStore.reserve_object`."""
        authorization.reserve_uncounted(self._table(), hold, now_us)

    def end_object(self, row: JobObject, hold: Hold | None, *, now_us: Instant) -> bool:
        """See `JobStore.end_object`."""
        return object_items.end(self._table(), row, hold, now_us)

    def park_object(self, job_id: str, source: str, *, now_us: Instant) -> bool:
        """See `JobStore.park_object`."""
        return object_items.park(self._table(), job_id, source, now_us)

    def find_object(self, job_id: str, object_id: str) -> JobObject | None:
        """See `JobStore.find_object`."""
        return object_items.find(self._table(), job_id, object_id)

    def list_objects(
        self,
        job_id: str,
        *,
        states: Collection[ObjectState],
        after: str | None = None,
        limit: int,
    ) -> ObjectPage:
        """See `JobStore.list_objects`."""
        return object_items.page(self._table(), job_id, states, after, limit)

    def list_active(self) -> Iterator[Job]:
        """See `JobStore.list_active`."""
        return job_items.list_active(self._table())

    def count_active(self, account_id: str, *, most: int) -> int:
        """See `JobStore.count_active`."""
        return job_items.count_active(self._table(), account_id, most)

    def end_job(self, job_id: str, *, received: int, now_us: Instant) -> bool:
        """See `JobStore.end_job`."""
        return job_items.end(self._table(), job_id, received, now_us)

    def record_notification_attempt(self, job_id: str, *, next_attempt_us: Instant | None) -> None:
        """See `JobStore.record_notification_attempt`."""
        job_items.record_notification_attempt(self._table(), job_id, next_attempt_us)

    def close(self) -> None:
        """Close the client's connections."""
        self._client.close()

    def _table(self) -> DynamoTable:
        """Return the table for one call of a method of the store, with a new deadline."""
        return DynamoTable(self._table_name, self._start, self._limiter, {})

    def _start(self) -> Send:
        return Sender.start(self._client, conflict_s=CONFLICT_S)

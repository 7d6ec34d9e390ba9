"""Jobs and rows are read as they were stored; their keys and expiry times are fixed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blur.accounts.model import Instant, KeyKind
from blur.credits import ZERO, Credits, credits_number
from blur.jobs.dynamo import items
from blur.jobs.model import (
    KEPT_S,
    Job,
    JobCounts,
    JobObject,
    JobState,
    Notification,
    ObjectState,
)

NOW = Instant(1_800_000_000_000_000)
NOTIFICATION = Notification(url="https://example.com/", secret="c2VjcmV0")  # noqa: S106 - this is not a real secret
JOB = Job(
    job_id="job_a",
    account_id="account",
    key_digest="digest",
    key_kind=KeyKind.TEST,
    parameters={"radius": "2%"},
    created_us=NOW,
    notification=NOTIFICATION,
)
ENDED = replace(
    JOB,
    state=JobState.DONE,
    is_paused=True,
    closed_us=Instant(1),
    cancelled_us=Instant(2),
    ended_us=Instant(3),
    first_us=Instant(4),
    last_us=Instant(5),
    counts=JobCounts(received=9, done=3, failed=2, cancelled=1, charged=Credits(12)),
    notification=replace(NOTIFICATION, attempts=2, next_attempt_us=Instant(6)),
)
ROW = JobObject(
    job_id="job_a",
    source="a.jpg",
    state=ObjectState.FAILED,
    charged=Credits(3),
    code="no_subject",
    message="The photo has no subject.",
    content_type="image/png",
    duration_ms=4,
    pixels=5,
    at_us=Instant(6),
)


@pytest.mark.parametrize("job", [JOB, replace(JOB, notification=None)])
def test_a_new_job_is_read_as_it_was_stored(job: Job) -> None:
    assert items.job_of(items.job_item(job)) == job


def test_each_field_of_an_ended_job_is_read_from_its_item() -> None:
    steps = {
        "state": "done",
        "is_paused": True,
        "closed_us": 1,
        "cancelled_us": 2,
        "ended_us": 3,
        "first_us": 4,
        "last_us": 5,
        "known": 9,
        "listed": 7,
        "done": 3,
        "failed": 2,
        "cancelled": 1,
        "credits": Credits(12),
        "notify_attempts": 2,
        "notify_next_us": 6,
    }
    item = {**items.job_item(JOB), **steps}
    assert items.job_of(item) == ENDED
    assert items.job_of({**item, "listed": 11}).counts.received == 11


@pytest.mark.parametrize(
    "row", [ROW, JobObject(job_id="job_a", source="b.jpg", state=ObjectState.WAITING)]
)
def test_the_row_of_a_photo_does_not_change_when_it_is_stored_and_read(row: JobObject) -> None:
    item = items.row_item(row, NOW)
    assert item["credits"] == credits_number(row.charged)  # the table stores credits, not quarters
    assert items.row_of({**item, "credits": row.charged}) == row
    assert None not in item.values()


def test_the_items_in_the_table_have_the_same_keys_and_expiry_times_in_every_version() -> None:
    ttl = 1_800_000_000 + KEPT_S
    job, row, failed = (
        items.job_item(JOB),
        items.row_item(ROW, NOW),
        items.row_item(ROW, NOW, items.FAILED_ROW),
    )
    keys = [(item["pk"], item["sk"], item["ttl"]) for item in (job, row, failed)]
    assert keys == [
        ("JOB#job_a", "JOB", ttl),
        ("JOB#job_a", f"OBJ#{ROW.object_id}", ttl),
        ("JOB#job_a", f"FAILED#{ROW.object_id}", ttl),
    ]
    assert items.active_items(JOB) == [
        {"pk": "JOBS", "sk": "job_a", "ttl": ttl},
        {"pk": "JOB#ACCT#account", "sk": "job_a", "ttl": ttl},
    ]
    assert isinstance(row["ttl"], int)
    assert job["credits"] == ZERO

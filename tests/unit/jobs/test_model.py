"""A job: its state as clients see it, its remaining time, and the ids of its photos and holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from blur.accounts.model import Instant, KeyKind
from blur.jobs.model import (
    KEPT_S,
    MAX_SOURCE_BYTES,
    Job,
    JobCounts,
    JobState,
    ObjectState,
    hold_id,
    object_id,
)

JOB = Job(
    job_id="job_1",
    account_id="customer0001",
    key_digest="d" * 64,
    key_kind=KeyKind.LIVE,
    parameters={},
    created_us=Instant(0),
    first_us=Instant(10_000_000),
    counts=JobCounts(received=10, done=2, failed=1, cancelled=1),
)


def test_the_remaining_time_is_computed_from_the_rate_so_far() -> None:
    """Four photos in 20 s, so the other six take 30 s."""
    assert JOB.seconds_left(Instant(30_000_000)) == 30


@pytest.mark.parametrize(
    "job",
    [
        replace(JOB, first_us=None),
        replace(JOB, counts=JobCounts(received=10)),
        replace(JOB, is_paused=True),
        replace(JOB, state=JobState.DONE),
        replace(JOB, state=JobState.CANCELLED),
    ],
    ids=["not started", "none ended", "paused", "done", "cancelled"],
)
def test_a_job_that_is_not_running_or_has_no_finished_photo_has_no_remaining_time(job: Job) -> None:
    assert job.seconds_left(Instant(30_000_000)) is None


@pytest.mark.parametrize(("received", "seconds"), [(5, 5), (4, 0), (3, 0)])
def test_the_remaining_time_is_never_negative(received: int, seconds: int) -> None:
    """If photos are in a bucket, a photo can be done before it is counted as received."""
    job = replace(JOB, counts=replace(JOB.counts, received=received))
    assert job.seconds_left(Instant(30_000_000)) == seconds


def test_the_remaining_time_is_0_if_the_clock_is_before_the_time_of_the_first_photo() -> None:
    """Two machines can have different clocks, and a clock can be set back."""
    assert JOB.seconds_left(Instant(9_000_000)) == 0


@pytest.mark.parametrize(
    ("job", "shown"),
    [
        (JOB, "open"),
        (replace(JOB, state=JobState.CLOSED, is_paused=True), "paused"),
        (replace(JOB, state=JobState.DONE, is_paused=True), "done"),
        (replace(JOB, state=JobState.CANCELLED, is_paused=True), "cancelled"),
    ],
)
def test_a_job_that_waits_for_credits_is_shown_as_paused_until_it_has_ended(
    job: Job, shown: str
) -> None:
    assert job.shown_state == shown


def test_every_state_of_a_photo_except_waiting_is_final() -> None:
    assert [state for state in ObjectState if not state.has_ended] == [ObjectState.WAITING]


def test_the_name_of_a_photo_has_up_to_512_bytes_and_a_job_is_kept_for_30_days() -> None:
    assert (MAX_SOURCE_BYTES, KEPT_S) == (512, 2_592_000)


def test_the_ids_of_photos_and_holds_are_the_same_in_every_version() -> None:
    """Ids are in the paths of results, in the database and in the names of stored files."""
    assert object_id("a/ä.jpg") == "ba281f3dc1c39c4c1e3e53a9ea1f442e"
    assert hold_id("job_1", "a/ä.jpg") == "931e3e56e9c8813a1915"

"""Jobs are created, closed, cancelled and paused, in each store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START, after, new_id, open_account
from tests.integration.jobs.job_owner import JobOwner, active, new_job, open_job, process, rows_of

from blur.job_errors import JobNotFoundError
from blur.jobs.model import JobState, ObjectState, object_id

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore
    from blur.jobs.ports import JobStore


def test_a_job_that_is_created_twice_is_stored_once_and_can_be_found(
    store: AccountStore, jobs: JobStore
) -> None:
    customer = open_account(store)
    job = new_job(customer, notify="https://example.com/hook")
    for _ in range(2):
        jobs.create_job(job)
    assert jobs.find_job(job.job_id) == job
    assert [each.job_id for each in jobs.list_active()].count(job.job_id) == 1


def test_active_jobs_are_listed_in_random_order(jobs: JobStore, owner: JobOwner) -> None:
    """In a fixed order, a keeper without time for all jobs would never reach the last jobs."""
    added = [replace(jobs.find_job(owner.job_id), job_id=new_id("job")) for _ in range(5)]
    for job in added:
        jobs.create_job(job)
    ids = {job.job_id for job in added}
    orders = set[tuple[str, ...]]()
    for _ in range(20):
        orders.add(tuple(job.job_id for job in jobs.list_active() if job.job_id in ids))
        if len(orders) > 1:
            break
    assert len(orders) > 1
    assert {frozenset(order) for order in orders} == {frozenset(ids)}


def test_a_repeated_create_does_not_reset_a_job(jobs: JobStore, owner: JobOwner) -> None:
    before = jobs.close_job(owner.job_id, now_us=after(1))
    jobs.create_job(replace(before, state=JobState.OPEN, closed_us=None))
    assert jobs.find_job(owner.job_id) == before


def test_finding_closing_or_cancelling_an_unknown_job_is_an_error(jobs: JobStore) -> None:
    with pytest.raises(JobNotFoundError):
        jobs.find_job("job_unknown")
    with pytest.raises(JobNotFoundError):
        jobs.close_job("job_unknown", now_us=START)
    with pytest.raises(JobNotFoundError):
        jobs.cancel_job("job_unknown", now_us=START)
    assert not jobs.end_job("job_unknown", received=0, now_us=START)
    assert jobs.find_object("job_unknown", object_id("a.jpg")) is None


def test_writes_to_an_unknown_job_have_no_effect(jobs: JobStore, owner: JobOwner) -> None:
    unknown = replace(owner, job_id="job_unknown")
    jobs.set_paused("job_unknown", is_paused=True)
    jobs.record_notification_attempt("job_unknown", next_attempt_us=None)
    assert not jobs.park_object("job_unknown", "a.jpg", now_us=START)
    assert not jobs.end_object(unknown.row("a.jpg"), None, now_us=START)
    with pytest.raises(JobNotFoundError):
        jobs.find_job("job_unknown")
    assert list(rows_of(jobs, "job_unknown")) == []


def test_a_closed_job_stays_closed(jobs: JobStore, owner: JobOwner) -> None:
    closed = jobs.close_job(owner.job_id, now_us=after(1))
    assert (closed.state, closed.closed_us) == (JobState.CLOSED, after(1))
    assert jobs.close_job(owner.job_id, now_us=after(2)) == closed


def test_a_cancelled_job_is_neither_closed_nor_paused(jobs: JobStore, owner: JobOwner) -> None:
    cancelled = jobs.cancel_job(owner.job_id, now_us=after(1))
    assert (cancelled.state, cancelled.cancelled_us) == (JobState.CANCELLED, after(1))
    assert cancelled.ended_us is None
    jobs.set_paused(owner.job_id, is_paused=True)
    assert jobs.cancel_job(owner.job_id, now_us=after(2)) == cancelled
    assert jobs.close_job(owner.job_id, now_us=after(2)) == cancelled


def test_a_closed_job_can_be_cancelled(jobs: JobStore, owner: JobOwner) -> None:
    jobs.close_job(owner.job_id, now_us=after(1))
    cancelled = jobs.cancel_job(owner.job_id, now_us=after(2))
    assert (cancelled.closed_us, cancelled.cancelled_us) == (after(1), after(2))


def test_a_job_is_paused_and_continued(jobs: JobStore, owner: JobOwner) -> None:
    jobs.set_paused(owner.job_id, is_paused=True)
    assert jobs.find_job(owner.job_id).shown_state == "paused"
    jobs.set_paused(owner.job_id, is_paused=False)
    assert jobs.find_job(owner.job_id).shown_state == "open"


def test_changes_of_a_job_do_not_affect_another_job(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    other = open_job(store, jobs, notify="https://example.com/hook")
    assert jobs.park_object(other.job_id, "1.jpg", now_us=START)
    jobs.close_job(other.job_id, now_us=after(1))
    before = jobs.find_job(other.job_id), list(rows_of(jobs, other.job_id))
    assert jobs.park_object(owner.job_id, "1.jpg", now_us=after(2))
    assert process(jobs, owner, "1.jpg", now_us=after(2))
    assert jobs.end_object(owner.row("2.jpg", ObjectState.FAILED), None, now_us=after(2))
    jobs.set_paused(owner.job_id, is_paused=True)
    jobs.close_job(owner.job_id, now_us=after(3))
    assert not jobs.end_job(owner.job_id, received=3, now_us=after(4))
    jobs.cancel_job(owner.job_id, now_us=after(5))
    assert jobs.end_job(owner.job_id, received=2, now_us=after(6))
    jobs.record_notification_attempt(owner.job_id, next_attempt_us=None)
    assert (jobs.find_job(other.job_id), list(rows_of(jobs, other.job_id))) == before
    assert len(active(jobs, other)) == 1

"""Jobs end, and stay active until their notification or event is sent, in each store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.accounts.customer import START, after
from tests.integration.jobs.job_owner import (
    PRICE,
    JobOwner,
    active,
    new_job,
    open_job,
    process,
    require_exact,
    rows_of,
)

from blur.credits import Credits
from blur.jobs.model import JobCounts, JobState, ObjectState

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore
    from blur.jobs.ports import JobStore


def test_a_closed_job_ends_when_all_its_photos_are_done_or_failed(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    assert process(jobs, owner, "1.jpg")
    assert not jobs.end_job(owner.job_id, received=1, now_us=after(1))
    jobs.close_job(owner.job_id, now_us=after(2))
    assert not jobs.end_job(owner.job_id, received=3, now_us=after(3))
    assert jobs.find_job(owner.job_id).counts.received == 3
    assert process(jobs, owner, "2.jpg", ObjectState.FAILED)
    assert jobs.find_job(owner.job_id).counts.received == 3
    assert not jobs.end_job(owner.job_id, received=3, now_us=after(4))
    assert process(jobs, owner, "3.jpg")
    for seconds in (5, 6):
        assert jobs.end_job(owner.job_id, received=3, now_us=after(seconds))
    job = jobs.find_job(owner.job_id)
    assert (job.state, job.ended_us) == (JobState.DONE, after(5))
    assert job.counts == JobCounts(received=3, done=2, failed=1, charged=Credits(2 * PRICE))
    require_exact(store, jobs, owner, after(7))


def test_a_job_with_a_waiting_object_does_not_end(jobs: JobStore, owner: JobOwner) -> None:
    assert process(jobs, owner, "1.jpg")
    assert jobs.park_object(owner.job_id, "deleted.jpg", now_us=START)
    jobs.close_job(owner.job_id, now_us=after(1))
    assert not jobs.end_job(owner.job_id, received=1, now_us=after(1))
    assert jobs.find_job(owner.job_id).counts.received == 2
    assert jobs.end_object(owner.row("deleted.jpg", ObjectState.FAILED), None, now_us=after(2))
    assert jobs.end_job(owner.job_id, received=1, now_us=after(3))


def test_a_closed_job_without_photos_ends(jobs: JobStore, owner: JobOwner) -> None:
    jobs.close_job(owner.job_id, now_us=after(1))
    assert jobs.end_job(owner.job_id, received=0, now_us=after(1))
    assert jobs.find_job(owner.job_id).state is JobState.DONE


def test_an_object_that_arrives_after_the_end_of_its_job_is_not_charged(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    jobs.close_job(owner.job_id, now_us=START)
    assert jobs.end_job(owner.job_id, received=0, now_us=START)
    ended = jobs.find_job(owner.job_id)
    assert not process(jobs, owner, "late.jpg", now_us=after(1))
    assert not jobs.park_object(owner.job_id, "late.jpg", now_us=after(1))
    assert jobs.find_job(owner.job_id) == ended
    assert list(rows_of(jobs, owner.job_id)) == []
    account = require_exact(store, jobs, owner, after(1))
    assert (account.balance, account.held) == (100, 0)


def test_an_ended_job_is_active_while_another_attempt_to_send_its_notification_is_planned(
    store: AccountStore, jobs: JobStore
) -> None:
    owner = open_job(store, jobs, notify="https://example.com/hook")
    # This has no effect before the job ends.
    jobs.record_notification_attempt(owner.job_id, next_attempt_us=None)
    jobs.close_job(owner.job_id, now_us=after(1))
    (job,) = active(jobs, owner)
    assert job.notification is not None
    assert (job.notification.attempts, job.notification.next_attempt_us) == (0, None)
    assert jobs.end_job(owner.job_id, received=0, now_us=after(2))
    (job,) = active(jobs, owner)
    assert job.notification is not None
    assert (job.notification.attempts, job.notification.next_attempt_us) == (0, after(2))
    jobs.record_notification_attempt(owner.job_id, next_attempt_us=after(62))
    (job,) = active(jobs, owner)
    assert job.notification is not None
    assert (job.notification.attempts, job.notification.next_attempt_us) == (1, after(62))
    jobs.record_notification_attempt(owner.job_id, next_attempt_us=None)
    assert active(jobs, owner) == []
    notification = jobs.find_job(owner.job_id).notification
    assert notification is not None
    assert (notification.attempts, notification.next_attempt_us) == (2, None)


def test_a_job_without_a_notification_is_active_until_its_event_is_sent(
    jobs: JobStore, owner: JobOwner
) -> None:
    jobs.close_job(owner.job_id, now_us=after(1))
    assert jobs.end_job(owner.job_id, received=0, now_us=after(2))
    assert len(active(jobs, owner)) == 1
    jobs.record_notification_attempt(owner.job_id, next_attempt_us=None)
    assert active(jobs, owner) == []
    assert jobs.find_job(owner.job_id).notification is None


def test_the_active_jobs_of_an_account_are_counted_up_to_a_limit(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    account_id = owner.customer.account_id
    other = open_job(store, jobs)
    assert jobs.count_active(account_id, most=10) == 1
    for _ in range(3):
        jobs.create_job(new_job(owner.customer))
    assert [jobs.count_active(account_id, most=most) for most in (2, 4, 10)] == [2, 4, 4]
    jobs.close_job(owner.job_id, now_us=after(1))
    assert jobs.end_job(owner.job_id, received=0, now_us=after(2))
    assert jobs.count_active(account_id, most=10) == 4
    jobs.record_notification_attempt(owner.job_id, next_attempt_us=None)
    assert jobs.count_active(account_id, most=10) == 3
    assert jobs.count_active(other.customer.account_id, most=10) == 1
    assert jobs.count_active("nobody", most=10) == 0

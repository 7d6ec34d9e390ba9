"""The steps of a job and its objects, against each store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START, after, entry, new_id, open_account
from tests.integration.jobs.job_owner import (
    ALL_STATES,
    FINAL_STATES,
    PIXELS,
    PRICE,
    JobOwner,
    new_job,
    open_job,
    process,
    require_exact,
    rows_of,
)

from blur.account_status import RateLimit
from blur.accounts.model import KeyCounts
from blur.credits import ZERO, Credits
from blur.errors import InsufficientCreditsError, InvalidApiKeyError, RateLimitError
from blur.job_errors import JobNotFoundError
from blur.jobs.model import JobCounts, JobState, ObjectState, object_id

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore
    from blur.jobs.model import Job
    from blur.jobs.ports import JobStore


def active(jobs: JobStore, owner: JobOwner) -> list[Job]:
    return [job for job in jobs.list_active() if job.job_id == owner.job_id]


def counts_of_key(store: AccountStore, owner: JobOwner) -> KeyCounts:
    """Return the counts of the owner's only key in the month of the tests."""
    for usage in store.list_usage("2027-01", now_us=START):
        if usage.account_id == owner.customer.account_id and usage.keys:
            return usage.keys[0].counts
    return KeyCounts(0, ZERO, 0, 0)


def test_a_job_is_stored_once_and_can_be_found(store: AccountStore, jobs: JobStore) -> None:
    customer = open_account(store)
    job = new_job(customer, notify="https://example.com/hook")
    for _ in range(2):
        jobs.create_job(job)
    assert jobs.find_job(job.job_id) == job
    assert [each.job_id for each in jobs.list_active()].count(job.job_id) == 1


def test_active_jobs_are_listed_in_random_order(jobs: JobStore, owner: JobOwner) -> None:
    """If a keeper has no time for all jobs, it reaches each job in one of its next runs."""
    added = [replace(jobs.find_job(owner.job_id), job_id=new_id("job")) for _ in range(5)]
    for job in added:
        jobs.create_job(job)
    ids = {job.job_id for job in added}
    orders = {
        tuple(job.job_id for job in jobs.list_active() if job.job_id in ids) for _ in range(20)
    }
    assert len(orders) > 1
    assert {frozenset(order) for order in orders} == {frozenset(ids)}


def test_a_repeated_create_does_not_reset_a_job(jobs: JobStore, owner: JobOwner) -> None:
    before = jobs.close_job(owner.job_id, now_us=after(1))
    jobs.create_job(replace(before, state=JobState.OPEN, closed_us=None))
    assert jobs.find_job(owner.job_id) == before


def test_an_unknown_job_is_not_found(jobs: JobStore) -> None:
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
    jobs.record_attempt("job_unknown", next_attempt_us=None)
    assert not jobs.park_object("job_unknown", "a.jpg", now_us=START)
    assert not jobs.end_object(unknown.row("a.jpg"), None, now_us=START)
    with pytest.raises(JobNotFoundError):
        jobs.find_job("job_unknown")
    assert list(rows_of(jobs, "job_unknown")) == []


def test_the_hold_of_an_object_of_an_unknown_job_is_refunded(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    unknown = replace(owner, job_id="job_unknown")
    assert not process(jobs, unknown, "a.jpg")
    assert require_exact(store, jobs, owner, START).balance == 100


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


def test_a_job_is_paused_and_goes_on(jobs: JobStore, owner: JobOwner) -> None:
    jobs.set_paused(owner.job_id, is_paused=True)
    assert jobs.find_job(owner.job_id).shown_state == "paused"
    jobs.set_paused(owner.job_id, is_paused=False)
    assert jobs.find_job(owner.job_id).shown_state == "open"


def test_a_done_object_is_charged_and_counted(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    hold = owner.hold("a/1.jpg")
    jobs.reserve_object(hold, now_us=START)
    assert store.read_account(hold.account_id, now_us=START).held == PRICE
    assert jobs.end_object(owner.row("a/1.jpg"), hold, now_us=after(10))
    row = jobs.find_object(owner.job_id, object_id("a/1.jpg"))
    assert row == replace(owner.row("a/1.jpg"), charged=PRICE, at_us=after(10))
    job = jobs.find_job(owner.job_id)
    assert job.counts == JobCounts(received=1, done=1, charged=PRICE)
    assert (job.first_us, job.last_us) == (after(8.5), after(10))
    account = require_exact(store, jobs, owner, after(10))
    assert (account.balance, account.held) == (100 - PRICE, 0)
    assert counts_of_key(store, owner) == KeyCounts(1, PRICE, PIXELS, 0)


def test_a_job_has_the_times_of_its_first_and_its_last_object(
    jobs: JobStore, owner: JobOwner
) -> None:
    for source, duration_ms, ended_s in (("1.jpg", 1500, 10), ("2.jpg", 60_000, 30)):
        row = replace(owner.row(source), duration_ms=duration_ms)
        assert jobs.end_object(row, None, now_us=after(ended_s))
    job = jobs.find_job(owner.job_id)
    assert (job.first_us, job.last_us) == (after(8.5), after(30))


def test_the_steps_of_a_job_do_not_change_another_job(
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
    jobs.record_attempt(owner.job_id, next_attempt_us=None)
    assert (jobs.find_job(other.job_id), list(rows_of(jobs, other.job_id))) == before
    assert len(active(jobs, other)) == 1


@pytest.mark.parametrize(
    ("state", "failures"), [(ObjectState.FAILED, 1), (ObjectState.CANCELLED, 0)]
)
def test_a_cancelled_or_failed_object_is_not_charged(
    store: AccountStore, jobs: JobStore, owner: JobOwner, state: ObjectState, failures: int
) -> None:
    assert process(jobs, owner, "1.jpg", state)
    row = jobs.find_object(owner.job_id, object_id("1.jpg"))
    assert row == replace(owner.row("1.jpg", state), at_us=START)
    account = require_exact(store, jobs, owner, START)
    assert (account.balance, account.held) == (100, 0)
    assert counts_of_key(store, owner) == KeyCounts(0, ZERO, 0, failures)


def test_an_object_that_failed_before_its_hold_has_a_row(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    assert jobs.end_object(owner.row("1.jpg", ObjectState.FAILED), None, now_us=START)
    assert jobs.find_job(owner.job_id).counts == JobCounts(received=1, failed=1)
    require_exact(store, jobs, owner, START)


def test_objects_do_not_count_in_the_rate_limit(store: AccountStore, jobs: JobStore) -> None:
    owner = open_job(store, jobs, limit=RateLimit(per_minute=1, burst=1))
    for number in range(10):
        assert process(jobs, owner, f"{number}.jpg")
    customer = owner.customer
    store.authorize(customer.account_id, customer.digest, now_us=START)
    with pytest.raises(RateLimitError):
        store.authorize(customer.account_id, customer.digest, now_us=START)
    assert process(jobs, owner, "last.jpg")


def test_a_revoked_key_takes_no_hold(store: AccountStore, jobs: JobStore, owner: JobOwner) -> None:
    customer = owner.customer
    hold = owner.hold("1.jpg")
    jobs.reserve_object(hold, now_us=START)
    store.revoke_key(customer.account_id, customer.digest)
    for source in ("1.jpg", "2.jpg"):
        with pytest.raises(InvalidApiKeyError):
            jobs.reserve_object(owner.hold(source), now_us=START)
    assert store.read_account(customer.account_id, now_us=START).held == PRICE


def test_an_expired_key_and_an_unknown_key_take_no_hold(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    customer = owner.customer
    with pytest.raises(InvalidApiKeyError):
        jobs.reserve_object(replace(owner.hold("1.jpg"), key_digest="0" * 64), now_us=START)
    with pytest.raises(InvalidApiKeyError):
        jobs.reserve_object(replace(owner.hold("1.jpg"), account_id="nobody000000"), now_us=START)
    store.expire_key(customer.account_id, customer.digest, at_us=after(1))
    with pytest.raises(InvalidApiKeyError):
        jobs.reserve_object(owner.hold("1.jpg"), now_us=after(1))
    assert store.read_account(customer.account_id, now_us=START).balance == 100


def test_a_balance_below_the_price_takes_no_hold(store: AccountStore, jobs: JobStore) -> None:
    owner = open_job(store, jobs, 2 * PRICE - 1)
    assert process(jobs, owner, "1.jpg")
    with pytest.raises(InsufficientCreditsError) as refusal:
        jobs.reserve_object(owner.hold("2.jpg"), now_us=START)
    status = refusal.value.account_status
    assert status is not None
    assert status.credits_left == PRICE - 1
    store.append_entry(entry(owner.customer.account_id, 1))
    assert process(jobs, owner, "2.jpg")
    assert require_exact(store, jobs, owner, START).balance == 0


def test_expired_holds_are_released_before_a_call_is_rejected_for_credits(
    store: AccountStore, jobs: JobStore
) -> None:
    owner = open_job(store, jobs, PRICE)
    jobs.reserve_object(owner.hold("lost.jpg"), now_us=START)
    with pytest.raises(InsufficientCreditsError):
        jobs.reserve_object(owner.hold("1.jpg", now_us=after(30)), now_us=after(30))
    assert process(jobs, owner, "1.jpg", now_us=after(120))


@pytest.mark.parametrize("first_s", [0, 30], ids=["later", "earlier"])
def test_a_repeated_reserve_extends_the_hold_to_the_latest_expiry(
    store: AccountStore, jobs: JobStore, owner: JobOwner, first_s: int
) -> None:
    account_id = owner.customer.account_id
    for seconds in (first_s, 30 - first_s):
        hold = owner.hold("1.jpg", now_us=after(seconds))
        jobs.reserve_object(hold, now_us=after(30))
    account = store.read_account(account_id, now_us=after(89))
    assert (account.balance, account.held) == (100 - PRICE, PRICE)
    assert jobs.end_object(owner.row("1.jpg"), owner.hold("1.jpg"), now_us=after(89))
    account = require_exact(store, jobs, owner, after(89))
    assert (account.balance, account.held) == (100 - PRICE, 0)


def test_a_repeated_reserve_does_not_extend_a_hold_beyond_its_expiry(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    for _ in range(2):
        jobs.reserve_object(owner.hold("1.jpg"), now_us=START)
    account = store.read_account(owner.customer.account_id, now_us=after(66))
    assert (account.balance, account.held) == (100, 0)


def test_an_object_whose_hold_has_expired_can_be_done_but_is_not_charged(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    """This holds for a hold that was released, and for one that was not."""
    for source, is_released in (("1.jpg", False), ("2.jpg", True)):
        hold = owner.hold(source)
        jobs.reserve_object(hold, now_us=START)
        if is_released:
            store.read_account(hold.account_id, now_us=after(66))
        assert jobs.end_object(owner.row(source), hold, now_us=after(66))
    counts = jobs.find_job(owner.job_id).counts
    assert (counts.done, counts.charged) == (2, 0)
    account = require_exact(store, jobs, owner, after(66))
    assert (account.balance, account.held) == (100, 0)
    assert counts_of_key(store, owner) == KeyCounts(0, ZERO, 0, 0)


def test_the_price_of_the_hold_is_charged_even_if_the_price_has_changed(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    """An operator can change the price between two attempts."""
    for source, state in (("1.jpg", ObjectState.DONE), ("2.jpg", ObjectState.FAILED)):
        jobs.reserve_object(owner.hold(source, 3), now_us=START)
        other = owner.hold(source, 5)
        jobs.reserve_object(other, now_us=START)
        assert jobs.end_object(owner.row(source, state), other, now_us=after(1))
    late = owner.hold("2.jpg", 2)
    jobs.reserve_object(owner.hold("2.jpg", 7), now_us=after(70))
    assert not jobs.end_object(owner.row("2.jpg"), late, now_us=after(71))
    counts = jobs.find_job(owner.job_id).counts
    assert (counts.done, counts.failed, counts.charged) == (1, 1, 3)
    account = require_exact(store, jobs, owner, after(71))
    assert (account.balance, account.held) == (97, 0)
    assert counts_of_key(store, owner) == KeyCounts(1, Credits(3), PIXELS, 1)


def test_a_free_object_needs_no_credits(store: AccountStore, jobs: JobStore) -> None:
    owner = open_job(store, jobs, 0)
    hold = owner.hold("1.jpg", 0)
    jobs.reserve_object(hold, now_us=START)
    assert jobs.end_object(owner.row("1.jpg"), hold, now_us=START)
    assert jobs.find_job(owner.job_id).counts == JobCounts(received=1, done=1)
    require_exact(store, jobs, owner, START)


def test_a_parked_object_waits_and_then_ends(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    for _ in range(2):
        assert jobs.park_object(owner.job_id, "1.jpg", now_us=START)
    row = jobs.find_object(owner.job_id, object_id("1.jpg"))
    assert row is not None
    assert (row.source, row.state, row.at_us) == ("1.jpg", ObjectState.WAITING, None)
    assert jobs.find_job(owner.job_id).counts == JobCounts(received=1)
    assert process(jobs, owner, "1.jpg")
    assert jobs.find_job(owner.job_id).counts == JobCounts(received=1, done=1, charged=PRICE)
    assert not jobs.park_object(owner.job_id, "1.jpg", now_us=START)
    require_exact(store, jobs, owner, START)


def test_rows_are_listed_by_state_in_pages(jobs: JobStore, owner: JobOwner) -> None:
    for number in range(5):
        assert process(jobs, owner, f"{number}.jpg")
    for number in range(5, 9):
        failed = owner.row(f"{number}.jpg", ObjectState.FAILED)
        assert jobs.end_object(failed, None, now_us=START)
    assert jobs.park_object(owner.job_id, "9.jpg", now_us=START)
    ids = {f"{number}.jpg": object_id(f"{number}.jpg") for number in range(10)}
    every = [name for name, _ in sorted(ids.items(), key=lambda pair: pair[1])]
    for states, names in (
        (ALL_STATES, every),
        (FINAL_STATES, [name for name in every if name != "9.jpg"]),
        ([ObjectState.FAILED], [name for name in every if "5" <= name < "9"]),
        ([ObjectState.WAITING], ["9.jpg"]),
        ([ObjectState.CANCELLED], []),
    ):
        for limit in (1, 2, 4, 100):
            cursor, listed = None, list[str]()
            while True:
                page = jobs.list_objects(owner.job_id, states=states, after=cursor, limit=limit)
                listed += [row.source for row in page.objects]
                assert len(page.objects) == limit or page.after is None
                assert page.objects or not names
                cursor = page.after
                if cursor is None:
                    break
                assert cursor == page.objects[-1].object_id
            assert listed == names


def test_a_closed_job_ends_when_all_files_have_rows(
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


def test_a_job_with_a_waiting_row_does_not_end(jobs: JobStore, owner: JobOwner) -> None:
    assert process(jobs, owner, "1.jpg")
    assert jobs.park_object(owner.job_id, "deleted.jpg", now_us=START)
    jobs.close_job(owner.job_id, now_us=after(1))
    assert not jobs.end_job(owner.job_id, received=1, now_us=after(1))
    assert jobs.find_job(owner.job_id).counts.received == 2
    assert jobs.end_object(owner.row("deleted.jpg", ObjectState.FAILED), None, now_us=after(2))
    assert jobs.end_job(owner.job_id, received=1, now_us=after(3))


def test_an_empty_job_ends(jobs: JobStore, owner: JobOwner) -> None:
    jobs.close_job(owner.job_id, now_us=after(1))
    assert jobs.end_job(owner.job_id, received=0, now_us=after(1))
    assert jobs.find_job(owner.job_id).state is JobState.DONE


def test_objects_of_a_cancelled_job_can_end_until_the_job_has_ended(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    running, late = owner.hold("running.jpg"), owner.hold("late.jpg")
    for hold in (running, late):
        jobs.reserve_object(hold, now_us=START)
    jobs.cancel_job(owner.job_id, now_us=after(1))
    assert jobs.end_object(owner.row("running.jpg"), running, now_us=after(2))
    for source in ("new.jpg", "late.jpg"):
        row = owner.row(source, ObjectState.CANCELLED)
        assert jobs.end_object(row, None, now_us=after(3))
    assert not jobs.end_object(owner.row("late.jpg"), late, now_us=after(4))
    assert jobs.end_job(owner.job_id, received=3, now_us=after(5))
    job = jobs.find_job(owner.job_id)
    assert (job.state, job.ended_us) == (JobState.CANCELLED, after(5))
    assert job.counts == JobCounts(received=3, done=1, cancelled=2, charged=PRICE)
    account = require_exact(store, jobs, owner, after(6))
    assert (account.balance, account.held) == (100 - PRICE, 0)
    assert counts_of_key(store, owner) == KeyCounts(1, PRICE, PIXELS, 0)


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


def test_a_job_with_a_notification_is_active_until_it_is_announced(
    store: AccountStore, jobs: JobStore
) -> None:
    owner = open_job(store, jobs, notify="https://example.com/hook")
    jobs.record_attempt(owner.job_id, next_attempt_us=None)  # no attempt before the end
    jobs.close_job(owner.job_id, now_us=after(1))
    (job,) = active(jobs, owner)
    assert job.notification is not None
    assert (job.notification.attempts, job.notification.next_attempt_us) == (0, None)
    assert jobs.end_job(owner.job_id, received=0, now_us=after(2))
    (job,) = active(jobs, owner)
    assert job.notification is not None
    assert (job.notification.attempts, job.notification.next_attempt_us) == (0, after(2))
    jobs.record_attempt(owner.job_id, next_attempt_us=after(62))
    (job,) = active(jobs, owner)
    assert job.notification is not None
    assert (job.notification.attempts, job.notification.next_attempt_us) == (1, after(62))
    jobs.record_attempt(owner.job_id, next_attempt_us=None)
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
    jobs.record_attempt(owner.job_id, next_attempt_us=None)
    assert active(jobs, owner) == []
    assert jobs.find_job(owner.job_id).notification is None


def test_jobs_of_an_account_that_have_not_been_announced_are_counted_up_to_a_limit(
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
    jobs.record_attempt(owner.job_id, next_attempt_us=None)
    assert jobs.count_active(account_id, most=10) == 3
    assert jobs.count_active(other.customer.account_id, most=10) == 1
    assert jobs.count_active("nobody", most=10) == 0

"""The rows of a job's photos in each store, and the charge for each final row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START, after
from tests.integration.jobs.job_owner import (
    ALL_STATES,
    FINAL_STATES,
    PIXELS,
    PRICE,
    JobOwner,
    process,
    require_exact,
)

from blur.accounts.model import KeyCounts
from blur.credits import ZERO, Credits
from blur.jobs.model import JobCounts, JobState, ObjectState, object_id

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore
    from blur.jobs.ports import JobStore


def counts_of_key(store: AccountStore, owner: JobOwner) -> KeyCounts:
    """Return the usage of the owner's only key in the month of the tests."""
    for usage in store.list_usage("2027-01", now_us=START):
        if usage.account_id == owner.customer.account_id and usage.keys:
            return usage.keys[0].counts
    return KeyCounts(0, ZERO, 0, 0)


def test_an_object_with_the_state_done_is_charged_and_counted(
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


def test_the_times_of_a_job_are_the_start_of_its_first_photo_and_the_end_of_its_last_photo(
    jobs: JobStore, owner: JobOwner
) -> None:
    for source, duration_ms, ended_s in (("1.jpg", 1500, 10), ("2.jpg", 60_000, 30)):
        row = replace(owner.row(source), duration_ms=duration_ms)
        assert jobs.end_object(row, None, now_us=after(ended_s))
    job = jobs.find_job(owner.job_id)
    assert (job.first_us, job.last_us) == (after(8.5), after(30))


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


def test_an_object_that_fails_before_credits_are_reserved_gets_a_final_row(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    assert jobs.end_object(owner.row("1.jpg", ObjectState.FAILED), None, now_us=START)
    assert jobs.find_job(owner.job_id).counts == JobCounts(received=1, failed=1)
    require_exact(store, jobs, owner, START)


def test_an_object_whose_hold_has_expired_can_get_a_result_but_is_not_charged(
    store: AccountStore, jobs: JobStore, owner: JobOwner
) -> None:
    """Write the final row of a photo with an expired hold, and of a photo with a released hold."""
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


def test_a_parked_object_has_a_row_with_the_state_waiting_until_it_is_processed(
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


def test_final_rows_of_a_cancelled_job_can_be_written_until_the_job_has_ended(
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

"""Kill the workers and keepers of jobs at each of their steps, and run them again later."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START, after
from tests.integration.jobs.dying import Death, Killed, dying_store
from tests.integration.jobs.job_owner import (
    PRICE,
    JobOwner,
    new_job,
    open_job,
    process,
    require_exact,
    rows_of,
)

from blur.errors import InsufficientCreditsError
from blur.jobs.model import JobCounts, JobState, ObjectState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blur.accounts.model import Instant
    from blur.accounts.ports import AccountStore
    from blur.jobs.ports import JobStore

MOST_STEPS = 60
Work = Callable[["JobStore", JobOwner], object]


def deaths(location: str, work: Callable[[JobStore], object]) -> Iterator[Death]:
    """For each step of the work, run the work and kill it at this step; yield after each kill."""
    for is_after in (False, True):
        for step in range(1, MOST_STEPS):
            death = Death(step, is_after)
            with dying_store(location, death) as store:
                try:
                    work(store)
                except Killed:
                    pass
                else:
                    break
            yield death
        assert 1 < step < MOST_STEPS


def deliver(jobs: JobStore, owner: JobOwner, source: str, now_us: Instant) -> None:
    """Process an object, unless it is already done, failed or cancelled."""
    row = owner.row(source)
    known = jobs.find_object(owner.job_id, row.object_id)
    if known is None or not known.state.has_ended:
        process(jobs, owner, source, now_us=now_us)


@pytest.mark.parametrize("again_s", [1, 120], ids=["before", "after"])
def test_if_a_worker_is_killed_at_any_step_the_next_delivery_charges_the_object_once(
    store: AccountStore, jobs: JobStore, location: str, again_s: int
) -> None:
    """The next delivery arrives before or after the expiry of the killed worker's hold."""
    owner, numbers = open_job(store, jobs, 1000), list[int]()

    def work(dying: JobStore) -> None:
        numbers.append(len(numbers))
        deliver(dying, owner, f"{numbers[-1]}.jpg", START)

    for _ in deaths(location, work):
        deliver(jobs, owner, f"{numbers[-1]}.jpg", after(again_s))
        rows = list(rows_of(jobs, owner.job_id))
        assert {row.source for row in rows} == {f"{number}.jpg" for number in numbers}
        assert [(row.state, row.charged) for row in rows] == [(ObjectState.DONE, PRICE)] * len(
            numbers
        )
        account = require_exact(store, jobs, owner, after(again_s))
        assert (account.balance, account.held) == (1000 - PRICE * len(numbers), 0)
    assert jobs.find_job(owner.job_id).counts.received == len(numbers)


def test_no_credits_are_held_if_a_worker_is_killed_and_its_object_then_fails(
    store: AccountStore, jobs: JobStore, location: str
) -> None:
    """After an object's last attempt, its row is set to failed without reserving credits."""
    owner, numbers = open_job(store, jobs, 1000), list[int]()

    def work(dying: JobStore) -> None:
        numbers.append(len(numbers))
        deliver(dying, owner, f"{numbers[-1]}.jpg", START)

    for _ in deaths(location, work):
        failed = owner.row(f"{numbers[-1]}.jpg", ObjectState.FAILED)
        jobs.end_object(failed, None, now_us=after(120))
        account = require_exact(store, jobs, owner, after(120))
        assert account.held == 0
    counts = jobs.find_job(owner.job_id).counts
    assert counts.received == len(numbers)
    # An object is done, not failed, only if its worker was killed after the worker's last write.
    assert counts.done < len(numbers)


@pytest.mark.parametrize("state", [ObjectState.FAILED, ObjectState.CANCELLED])
def test_failed_or_cancelled_object_is_not_charged_if_its_worker_is_killed_at_any_step(
    store: AccountStore, jobs: JobStore, location: str, state: ObjectState
) -> None:
    owner, numbers = open_job(store, jobs), list[int]()

    def work(dying: JobStore) -> None:
        numbers.append(len(numbers))
        process(dying, owner, f"{numbers[-1]}.jpg", state)

    for _ in deaths(location, work):
        process(jobs, owner, f"{numbers[-1]}.jpg", state, now_us=after(1))
        account = require_exact(store, jobs, owner, after(1))
        assert (account.balance, account.held) == (100, 0)
    assert jobs.find_job(owner.job_id).counts.ended == len(numbers)


def test_an_object_still_has_one_row_if_the_worker_is_killed_while_it_parks_the_object(
    store: AccountStore, jobs: JobStore, location: str
) -> None:
    owner, numbers = open_job(store, jobs, 0), list[int]()

    def work(worker: JobStore) -> None:
        source = f"{len(numbers)}.jpg"
        try:
            worker.reserve_object(owner.hold(source), now_us=START)
        except InsufficientCreditsError:
            worker.set_paused(owner.job_id, is_paused=True)
            worker.park_object(owner.job_id, source, now_us=START)

    for _ in deaths(location, work):
        work(jobs)
        numbers.append(len(numbers))
        job = jobs.find_job(owner.job_id)
        assert (job.is_paused, job.counts) == (True, JobCounts(received=len(numbers)))
        require_exact(store, jobs, owner, START)


def test_after_a_job_keeper_is_killed_at_any_step_its_next_run_ends_the_job(
    store: AccountStore, jobs: JobStore, location: str
) -> None:
    owners = list[JobOwner]()
    customer = open_job(store, jobs).customer

    def work(keeper: JobStore) -> None:
        keeper.close_job(owners[-1].job_id, now_us=START)
        keeper.end_job(owners[-1].job_id, received=1, now_us=after(1))
        keeper.record_notification_attempt(owners[-1].job_id, next_attempt_us=None)

    def begin() -> None:
        job = new_job(customer, notify="https://example.com/hook")
        jobs.create_job(job)
        owners.append(JobOwner(customer, job.job_id))
        jobs.end_object(owners[-1].row("1.jpg", ObjectState.CANCELLED), None, now_us=START)

    begin()
    for _ in deaths(location, work):
        work(jobs)
        job = jobs.find_job(owners[-1].job_id)
        assert (job.state, job.counts.received) == (JobState.DONE, 1)
        assert job.job_id not in {each.job_id for each in jobs.list_active()}
        begin()


def test_a_job_exists_once_if_its_creation_is_interrupted_at_any_step_and_retried(
    store: AccountStore, jobs: JobStore, location: str
) -> None:
    customer = open_job(store, jobs).customer
    created = [new_job(customer)]
    for _ in deaths(location, lambda dying: dying.create_job(created[-1])):
        jobs.create_job(created[-1])
        assert jobs.find_job(created[-1].job_id) == created[-1]
        assert [job.job_id for job in jobs.list_active()].count(created[-1].job_id) == 1
        created.append(new_job(customer))

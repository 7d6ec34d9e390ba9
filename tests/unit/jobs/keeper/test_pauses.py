"""Paused jobs are resumed when the account can pay for more photos."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.unit.jobs.conftest import JOB_ID
from tests.unit.jobs.keeper.conftest import (
    RETRY_S,
    ROWS,
    Surroundings,
    end,
    later,
    opened,
    state_of,
)

from blur.errors import UnavailableError
from blur.jobs import photos
from blur.jobs.keeper import EXTRA_DELIVERIES, JobKeeper
from blur.jobs.model import JobState, ObjectState

if TYPE_CHECKING:
    from tests.clocks import Clock
    from tests.unit.jobs.fake_store import FakeJobStore


def test_a_paused_job_is_resumed_when_the_account_can_pay_for_a_photo(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    opened(store)
    for source in "ba":
        store.park_object(JOB_ID, source, now_us=clock())
    end(store, "c", clock)
    store.set_paused(JOB_ID, is_paused=True)
    around.payable = 0
    keeper.run()
    assert (store.jobs[JOB_ID].is_paused, around.delivered) == (True, [])
    around.payable = 1
    keeper.run()
    assert (store.jobs[JOB_ID].is_paused, around.delivered) == (False, [(JOB_ID, ["a", "b"])])


@pytest.mark.usefixtures("small_pages")
def test_a_resumed_job_queues_only_the_photos_that_the_balance_covers_and_100_more(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    """If all photos were queued, the account could not pay for most of them.

    They would be parked, and queued again after each refund for a failed photo.
    """
    opened(store)
    for number in range(2 * EXTRA_DELIVERIES):
        store.park_object(JOB_ID, f"{number}", now_us=clock())
    store.set_paused(JOB_ID, is_paused=True)
    around.payable = 3
    calls: list[str] = []
    store.before = calls.append
    replace(keeper, is_idle=lambda: False).run()
    assert calls.count("list_objects") == 1 + (EXTRA_DELIVERIES + 3) // ROWS
    store.before = lambda _: None
    ((_, first),) = around.delivered
    assert len(set(first)) == EXTRA_DELIVERIES + 3
    for source in first:  # these photos fail; the job is not paused
        end(store, source, clock, ObjectState.FAILED)
    later(clock, RETRY_S)
    replace(keeper, is_idle=lambda: False).run()
    assert len(around.delivered) == 1  # the queue is not empty
    keeper.run()
    assert len(around.delivered) == 2
    assert not set(around.delivered[1][1]) & set(first)


def test_photos_not_queued_when_the_job_resumed_are_queued_later_even_if_the_queue_is_not_empty(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    opened(store)
    for number in range(2 * EXTRA_DELIVERIES):
        store.park_object(JOB_ID, f"{number}", now_us=clock())
    store.set_paused(JOB_ID, is_paused=True)
    store.close_job(JOB_ID, now_us=clock())
    around.payable = 1
    busy = replace(keeper, is_idle=lambda: False)
    busy.run()
    later(clock, RETRY_S)
    busy.run()
    assert [len(sources) for _, sources in around.delivered] == [EXTRA_DELIVERIES + 1] * 2


def test_if_the_photos_of_a_paused_job_cannot_be_queued_the_next_run_resumes_the_job(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    opened(store)
    store.park_object(JOB_ID, "a", now_us=clock())
    store.set_paused(JOB_ID, is_paused=True)
    error = UnavailableError("no queue")

    def fail(*_: object) -> None:
        raise error

    replace(keeper, enqueue=fail).run()
    assert (store.jobs[JOB_ID].is_paused, around.errors) == (True, [error])
    keeper.run()
    assert (store.jobs[JOB_ID].is_paused, around.delivered) == (False, [(JOB_ID, ["a"])])


def test_a_paused_job_that_is_closed_does_not_end(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    opened(store)
    store.park_object(JOB_ID, "a", now_us=clock())
    store.set_paused(JOB_ID, is_paused=True)
    store.close_job(JOB_ID, now_us=clock())
    around.payable = 0
    later(clock, 2 * RETRY_S)
    keeper.run()
    assert (state_of(store), around.delivered) == (JobState.CLOSED, [])


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "PAGE", ROWS)

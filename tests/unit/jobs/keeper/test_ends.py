"""Open jobs are closed after some days; a closed job is done when all photos have final rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.clocks import START, Clock
from tests.unit.jobs.conftest import JOB_ID, FailingFolder, photo, put
from tests.unit.jobs.keeper.conftest import (
    PERIOD_S,
    RETRY_S,
    Surroundings,
    end,
    later,
    opened,
    state_of,
)

from blur.jobs.keeper import EMPTY_DAYS, OPEN_DAYS, JobKeeper
from blur.jobs.model import JobState, ObjectState

if TYPE_CHECKING:
    from tests.unit.jobs.fake_store import FakeJobStore


def test_the_keeper_does_not_change_an_open_job(
    keeper: JobKeeper, store: FakeJobStore, files: FailingFolder, clock: Clock, around: Surroundings
) -> None:
    opened(store)
    put(files, "a", photo())
    later(clock, 2 * RETRY_S)
    keeper.run()
    assert (state_of(store), around.delivered, around.errors) == (JobState.OPEN, [], [])


def test_a_job_that_is_open_for_too_many_days_is_closed(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock
) -> None:
    opened(store)
    end(store, "a", clock)
    later(clock, OPEN_DAYS * 86_400 - 1)
    keeper.run()
    assert state_of(store) is JobState.OPEN
    later(clock, 1)
    keeper.run()
    assert state_of(store) is JobState.CLOSED


def test_an_open_job_without_photos_is_closed_after_a_day(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock
) -> None:
    opened(store)
    later(clock, EMPTY_DAYS * 86_400 - 1)
    keeper.run()
    assert state_of(store) is JobState.OPEN
    later(clock, 1)
    keeper.run()
    assert state_of(store) is JobState.CLOSED


def test_a_closed_job_without_photos_is_done_and_announced_once(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    store.close_job(opened(store), now_us=clock())
    for _ in range(3):
        keeper.run()
        later(clock, PERIOD_S)
    (job,) = around.announced
    assert (job.state, job.ended_us, job.counts.received) == (JobState.DONE, START, 0)


def test_a_closed_job_is_done_when_all_its_photos_have_a_final_state(
    keeper: JobKeeper, store: FakeJobStore, files: FailingFolder, clock: Clock, around: Surroundings
) -> None:
    for source in "abc":
        put(files, source, photo())
    opened(store)
    end(store, "a", clock)
    store.close_job(JOB_ID, now_us=clock())
    keeper.run()
    assert (state_of(store), store.jobs[JOB_ID].counts.received) == (JobState.CLOSED, 3)
    end(store, "b", clock, ObjectState.FAILED)
    keeper.run()
    assert state_of(store) is JobState.CLOSED
    end(store, "c", clock)
    later(clock, 10 * PERIOD_S)
    keeper.run()
    assert state_of(store) is JobState.DONE
    assert [job.counts.ended for job in around.announced] == [3]
    assert around.delivered == []


def test_the_keeper_does_not_list_the_photos_of_a_job_while_known_photos_are_unfinished(
    keeper: JobKeeper, store: FakeJobStore, files: FailingFolder, clock: Clock
) -> None:
    for source in "ab":
        put(files, source, photo())
    opened(store)
    store.close_job(JOB_ID, now_us=clock())
    keeper.run()
    calls: list[str] = []
    store.before = calls.append
    later(clock, 2 * PERIOD_S)
    end(store, "a", clock)
    calls.clear()
    for _ in range(5):
        keeper.run()
        later(clock, PERIOD_S)
    assert calls == ["list_active"] * 5


def test_a_photo_that_was_deleted_after_its_processing_ended_still_counts_as_received(
    keeper: JobKeeper, store: FakeJobStore, files: FailingFolder, clock: Clock
) -> None:
    put(files, "b", photo())
    opened(store)
    end(store, "a", clock)
    end(store, "b", clock)
    store.close_job(JOB_ID, now_us=clock())
    keeper.run()
    assert (state_of(store), store.jobs[JOB_ID].counts.received) == (JobState.DONE, 2)

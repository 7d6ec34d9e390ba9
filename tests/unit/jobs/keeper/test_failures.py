"""Jobs end and are announced despite errors, runs that are too short, and changes of the clock."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.unit.jobs.conftest import JOB_ID
from tests.unit.jobs.keeper.conftest import (
    RUN_S,
    WORKER_S,
    Surroundings,
    ended_jobs,
    later,
    once,
    opened,
)

from blur.errors import UnavailableError
from blur.jobs.model import Job, JobState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clocks import Clock
    from tests.unit.jobs.fake_store import FakeJobStore

    from blur.jobs.keeper import JobKeeper


def test_a_keeper_without_time_for_all_jobs_still_announces_the_jobs_that_have_ended(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    names = ended_jobs(store, clock, ["a", "b", "c"])
    store.before = lambda step: later(clock, RUN_S if step == "end_job" else 0)
    for count in (1, 2, 3):
        keeper.run()
        assert len(around.notified) == count
    assert {job.job_id for job in around.notified} == set(names)


def test_jobs_are_announced_even_if_reading_the_list_of_jobs_fails(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    ended_jobs(store, clock, ["a"])

    def list_active() -> Iterator[Job]:
        yield store.jobs["job_000"]
        message = "no store"
        raise UnavailableError(message)

    store.list_active = list_active  # type: ignore[method-assign]
    with pytest.raises(UnavailableError):
        keeper.run()
    assert [job.job_id for job in around.notified] == ["job_000"]


def test_a_job_ends_and_is_announced_even_if_the_clock_was_set_back(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    store.park_object(opened(store, notify=True), "a", now_us=clock())
    later(clock, 1_000 * 86_400)
    store.cancel_job(JOB_ID, now_us=clock())
    later(clock, 1 - WORKER_S)  # the clock of the keeper's machine is behind
    keeper.run()
    assert store.jobs[JOB_ID].ended_us is None
    around.accepts = False
    later(clock, -1_000 * 86_400)
    keeper.run()
    assert (len(around.announced), len(around.notified)) == (1, 1)
    later(clock, -1_000 * 86_400)
    around.accepts = True
    keeper.run()
    assert len(around.notified) == 2
    assert list(store.list_active()) == []


@pytest.mark.parametrize(
    "step", ["list_objects", "end_job", "find_job", "record_notification_attempt"]
)
def test_a_failed_step_is_reported_immediately_and_the_next_run_repeats_it(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings, step: str
) -> None:
    error: Exception = UnavailableError("no store") if step == "end_job" else RuntimeError("a bug")
    for job_id in (JOB_ID, "job_2"):
        store.close_job(opened(store, job_id, notify=True), now_us=clock())
    store.before = once(step, error)
    keeper.run()
    assert around.errors == [error]
    keeper.run()
    assert {job.state for job in store.jobs.values()} == {JobState.DONE}
    assert {job.job_id for job in around.notified} == {JOB_ID, "job_2"}
    assert list(store.list_active()) == []


@pytest.mark.parametrize("notify", [False, True])
def test_the_end_of_a_job_is_announced_later_if_the_operators_event_bus_fails(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings, *, notify: bool
) -> None:
    store.close_job(opened(store, notify=notify), now_us=clock())
    error = ConnectionError("no event bus")

    def fail(_: Job) -> None:
        raise error

    replace(keeper, announce=fail).run()
    assert (around.errors, around.notified) == ([error], [])
    keeper.run()
    assert len(around.announced) == 1
    assert len(around.notified) == int(notify)
    assert list(store.list_active()) == []


def test_an_unavailable_event_bus_is_called_only_once_in_a_run_of_the_keeper(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    """Each further request could last until its timeout, and the whole run has a time limit."""
    for number in range(5):
        store.close_job(opened(store, f"job_{number}", notify=number > 2), now_us=clock())
    asked: list[str] = []

    def fail(job: Job) -> None:
        asked.append(job.job_id)
        message = "the event bus is unavailable"
        raise UnavailableError(message)

    replace(keeper, announce=fail).run()
    assert len(asked) == 1
    keeper.run()
    assert len(around.announced) == 5
    assert list(store.list_active()) == []


def test_a_run_of_the_keeper_fails_if_the_list_of_jobs_is_unavailable(
    keeper: JobKeeper, store: FakeJobStore
) -> None:
    store.before = once("list_active", UnavailableError("no store"))
    with pytest.raises(UnavailableError):
        keeper.run()

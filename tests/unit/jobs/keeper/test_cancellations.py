"""The photos of cancelled jobs are cancelled, a limited number in each run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.jobs.conftest import JOB_ID, FailingFolder, photo, put
from tests.unit.jobs.keeper.conftest import WORKER_S, Surroundings, end, later, opened

from blur.jobs import keeper as keeper_module
from blur.jobs.model import JobState, ObjectState, object_id

if TYPE_CHECKING:
    from tests.clocks import Clock
    from tests.unit.jobs.fake_store import FakeJobStore

    from blur.jobs.keeper import JobKeeper


def test_a_cancelled_job_ends_when_none_of_its_photos_can_still_be_running(
    keeper: JobKeeper, store: FakeJobStore, files: FailingFolder, clock: Clock, around: Surroundings
) -> None:
    for source in "ab":
        put(files, source, photo())
    opened(store)
    store.park_object(JOB_ID, "deleted", now_us=clock())
    store.set_paused(JOB_ID, is_paused=True)
    store.cancel_job(JOB_ID, now_us=clock())
    later(clock, WORKER_S - 1)
    keeper.run()
    end(store, "a", clock)
    assert set(store.rows[JOB_ID]) == {object_id("a"), object_id("deleted")}
    later(clock, 1)
    keeper.run()
    states = {row.source: row.state for row in store.rows[JOB_ID].values()}
    assert states == {
        "a": ObjectState.DONE,
        "b": ObjectState.CANCELLED,
        "deleted": ObjectState.CANCELLED,
    }
    (job,) = around.announced
    assert (job.state, job.ended_us, job.counts.cancelled) == (JobState.CANCELLED, clock(), 2)


@pytest.fixture
def five_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "MAX_CANCELLED", 5)


@pytest.mark.usefixtures("five_at_once")
def test_one_run_cancels_a_limited_number_of_photos_and_continues_with_the_other_jobs(
    keeper: JobKeeper, store: FakeJobStore, files: FailingFolder, clock: Clock, around: Surroundings
) -> None:
    """Each cancelled photo needs a write of some milliseconds; a job can have 50,000 photos."""
    for job_id in ("job_2", "job_3"):
        for number in range(4):
            put(files, f"{number}", photo(), job_id)
        store.cancel_job(opened(store, job_id), now_us=clock())
    later(clock, WORKER_S)
    store.close_job(opened(store), now_us=clock())
    keeper.run()
    assert [len(rows) for rows in store.rows.values()] == [4, 1, 0]
    assert [job.job_id for job in around.announced] == ["job_2", JOB_ID]
    assert store.jobs["job_3"].counts.received == 4
    keeper.run()
    assert [job.job_id for job in around.announced] == ["job_2", JOB_ID, "job_3"]
    assert store.jobs["job_3"].counts.cancelled == 4


def test_one_run_of_the_keeper_reads_the_photos_of_a_cancelled_job_only_once(
    keeper: JobKeeper, store: FakeJobStore, files: FailingFolder, clock: Clock
) -> None:
    put(files, "a", photo())
    store.park_object(opened(store), "b", now_us=clock())
    store.cancel_job(JOB_ID, now_us=clock())
    later(clock, WORKER_S)
    calls: list[str] = []
    store.before = calls.append
    keeper.run()
    steps = ["list_active", "list_objects", "end_object", "end_object", "end_job", "find_job"]
    assert calls == [*steps, "record_notification_attempt"]

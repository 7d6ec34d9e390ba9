"""If the queue has no message for an unfinished photo, the keeper sends a new message."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.unit.jobs.conftest import JOB_ID, FailingFolder, photo, put
from tests.unit.jobs.keeper.conftest import PERIOD_S, RETRY_S, Surroundings, end, later, opened

if TYPE_CHECKING:
    from tests.clocks import Clock
    from tests.unit.jobs.fake_store import FakeJobStore

    from blur.jobs.keeper import JobKeeper


def test_waiting_photos_of_an_open_job_are_queued_again_if_the_queue_is_empty(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    """For example, a keeper was killed after it resumed the job and before it queued the photos."""
    opened(store)
    store.park_object(JOB_ID, "a", now_us=clock())
    later(clock, RETRY_S)
    replace(keeper, is_idle=lambda: False).run()
    assert around.delivered == []
    keeper.run()
    assert around.delivered == [(JOB_ID, ["a"])]
    later(clock, PERIOD_S)
    keeper.run()
    assert len(around.delivered) == 1


def test_photos_whose_events_were_lost_are_sent_to_the_queue_after_the_retry_time(
    keeper: JobKeeper, store: FakeJobStore, files: FailingFolder, clock: Clock, around: Surroundings
) -> None:
    for source in "abc":
        put(files, source, photo())
    opened(store)
    end(store, "a", clock)
    store.park_object(JOB_ID, "c", now_us=clock())
    store.close_job(JOB_ID, now_us=clock())
    for _ in range(2 * RETRY_S // PERIOD_S):
        keeper.run()
        later(clock, PERIOD_S)
    assert around.delivered == [(JOB_ID, ["b", "c"])]
    keeper.run()
    assert around.delivered == [(JOB_ID, ["b", "c"])] * 2
    later(clock, PERIOD_S)
    end(store, "b", clock)
    for _ in range(RETRY_S // PERIOD_S):
        keeper.run()
        later(clock, PERIOD_S)
    assert len(around.delivered) == 2


def test_unfinished_photos_are_queued_again_each_day_even_if_other_jobs_fill_the_queue(
    keeper: JobKeeper, store: FakeJobStore, files: FailingFolder, clock: Clock, around: Surroundings
) -> None:
    put(files, "a", photo())
    store.close_job(opened(store), now_us=clock())
    store.park_object(opened(store, "job_2"), "b", now_us=clock())
    busy = replace(keeper, is_idle=lambda: False)
    for day in (1, 2):
        for _ in range(86_400 // PERIOD_S):
            assert len(around.delivered) == 2 * (day - 1)
            later(clock, PERIOD_S)
            busy.run()
        assert sorted(around.delivered) == [(JOB_ID, ["a"])] * day + [("job_2", ["b"])] * day

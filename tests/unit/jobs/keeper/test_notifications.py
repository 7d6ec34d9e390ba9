"""Notifications: how many one run of the keeper sends, and when they are sent again."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.unit.jobs.conftest import JOB_ID
from tests.unit.jobs.keeper.conftest import URL, Surroundings, ended_jobs, later, opened

from blur.jobs.announcer import BACKOFF_S, MAX_NOTIFICATIONS, MAX_OF_AN_ACCOUNT
from blur.jobs.model import Job, JobState

if TYPE_CHECKING:
    from tests.clocks import Clock
    from tests.unit.jobs.fake_store import FakeJobStore

    from blur.jobs.keeper import JobKeeper


def test_an_accepted_notification_is_sent_once(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    store.close_job(opened(store, notify=True), now_us=clock())
    for _ in range(3):
        keeper.run()
        later(clock, BACKOFF_S[0])
    (job,) = around.notified
    assert (job.state, job.notification and job.notification.url) == (JobState.DONE, URL)
    assert len(around.announced) == 1


def test_a_notification_is_repeated_with_longer_waits_a_limited_number_of_times(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    around.accepts = False
    store.close_job(opened(store, notify=True), now_us=clock())
    keeper.run()
    for attempts, wait_s in enumerate(BACKOFF_S, start=1):
        later(clock, wait_s - 1)
        keeper.run()
        assert len(around.notified) == attempts
        later(clock, 1)
        keeper.run()
        assert len(around.notified) == attempts + 1
    later(clock, 10 * BACKOFF_S[-1])
    keeper.run()
    assert len(around.notified) == 1 + len(BACKOFF_S)
    assert len(around.announced) == 1
    assert list(store.list_active()) == []


def test_slow_notifications_are_sent_at_the_same_time_and_delay_no_other_job(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock
) -> None:
    ended_jobs(store, clock, [f"account {number}" for number in range(8)])
    store.close_job(opened(store, "z"), now_us=clock())
    together = threading.Barrier(8, timeout=20)
    states = []

    def notify(_: Job) -> bool:
        together.wait()
        states.append(store.jobs["z"].state)
        return True

    replace(keeper, notify=notify).run()
    assert states == [JobState.DONE] * 8
    assert list(store.list_active()) == []


def test_one_run_sends_few_notifications_for_one_account_and_does_not_delay_other_accounts(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    names = ended_jobs(store, clock, ["busy"] * 10 + ["other"])
    keeper.run()
    assert len(around.notified) == MAX_OF_AN_ACCOUNT + 1
    assert names[-1] in {job.job_id for job in around.notified}
    for _ in range(2):
        keeper.run()
    assert sorted(job.job_id for job in around.notified) == names
    assert sorted(job.job_id for job in around.announced) == names


def test_one_run_of_the_keeper_sends_a_limited_number_of_notifications(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    names = ended_jobs(
        store, clock, [f"account {number}" for number in range(MAX_NOTIFICATIONS + 3)]
    )
    keeper.run()
    assert len(around.notified) == MAX_NOTIFICATIONS
    keeper.run()
    assert sorted(job.job_id for job in around.notified) == names


def test_a_notification_that_fails_with_an_unexpected_error_counts_as_an_attempt(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    store.close_job(opened(store, notify=True), now_us=clock())
    error = RuntimeError("a bug")

    def fail(_: Job) -> bool:
        raise error

    replace(keeper, notify=fail).run()
    assert around.errors == [error]
    target = store.jobs[JOB_ID].notification
    assert target
    assert (target.attempts, target.next_attempt_us) == (1, clock() + BACKOFF_S[0] * 1_000_000)

"""The keeper: paused, closed, cancelled and ended jobs, lost objects, and failures of its steps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from tests.unit.jobs.conftest import JOB_ID, START, Clock, FailingFolder, new_job, photo, put

from blur.errors import UnavailableError
from blur.jobs import keeper as keeper_module
from blur.jobs import photos
from blur.jobs.announcer import BACKOFF_S, MOST, MOST_OF_AN_ACCOUNT
from blur.jobs.keeper import EMPTY_DAYS, OPEN_DAYS, SPARE, JobKeeper
from blur.jobs.model import Job, JobObject, JobState, Notification, ObjectState, object_id

if TYPE_CHECKING:
    from tests.unit.jobs.fake_store import FakeJobStore

PERIOD_S, RETRY_S, WORKER_S, RUN_S = 60, 3_600, 180, 120
ROWS = 10
URL = "https://example.com/ended"


@dataclass
class Surroundings:
    """The queue, the account, and the recipients of a job's announcement."""

    payable: int | None = None
    accepts: bool = True
    delivered: list[tuple[str, list[str]]] = field(default_factory=list)
    announced: list[Job] = field(default_factory=list)
    notified: list[Job] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    def enqueue(self, job_id: str, sources: Iterable[str]) -> None:
        self.delivered.append((job_id, sorted(sources)))

    def notify(self, job: Job) -> bool:
        self.notified.append(job)
        return self.accepts


@pytest.fixture
def around() -> Surroundings:
    return Surroundings()


@pytest.fixture
def files(tmp_path_factory: pytest.TempPathFactory) -> FailingFolder:
    return FailingFolder(tmp_path_factory.mktemp("media"))


@pytest.fixture
def keeper(
    store: FakeJobStore, files: FailingFolder, clock: Clock, around: Surroundings
) -> JobKeeper:
    return JobKeeper(
        jobs=store,
        files=files,
        payable=lambda _: around.payable,
        enqueue=around.enqueue,
        announce=around.announced.append,
        notify=around.notify,
        clock=clock,
        period_s=PERIOD_S,
        retry_s=RETRY_S,
        worker_s=WORKER_S,
        run_s=RUN_S,
        on_error=around.errors.append,
    )


def opened(store: FakeJobStore, job_id: str = JOB_ID, *, notify: bool = False) -> str:
    """Store an open job, with a notification or without; return its id."""
    job = new_job(job_id)
    target = Notification(url=URL, secret="whsec_") if notify else None  # noqa: S106 - not a secret
    store.create_job(replace(job, notification=target))
    return job_id


def end(
    store: FakeJobStore, source: str, clock: Clock, state: ObjectState = ObjectState.DONE
) -> None:
    store.end_object(JobObject(job_id=JOB_ID, source=source, state=state), None, now_us=clock())


def later(clock: Clock, seconds: float) -> None:
    clock.at_us += round(seconds * 1_000_000)


def state_of(store: FakeJobStore) -> JobState:
    return store.jobs[JOB_ID].state


def test_the_keeper_does_not_change_an_open_job(
    keeper: JobKeeper, store: FakeJobStore, files: FailingFolder, clock: Clock, around: Surroundings
) -> None:
    opened(store)
    put(files, "a", photo())
    later(clock, 2 * RETRY_S)
    keeper.run()
    assert (state_of(store), around.delivered, around.errors) == (JobState.OPEN, [], [])


def test_waiting_photos_of_an_open_job_are_delivered_again_if_the_queue_is_empty(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    """A keeper was killed after the job went on, and before its photos were delivered."""
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


def test_job_that_was_not_closed_in_time_is_closed(
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


def test_job_without_photos_is_closed_after_a_day(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock
) -> None:
    opened(store)
    later(clock, EMPTY_DAYS * 86_400 - 1)
    keeper.run()
    assert state_of(store) is JobState.OPEN
    later(clock, 1)
    keeper.run()
    assert state_of(store) is JobState.CLOSED


def test_closed_job_without_photos_is_done_and_announced_once(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    store.close_job(opened(store), now_us=clock())
    for _ in range(3):
        keeper.run()
        later(clock, PERIOD_S)
    (job,) = around.announced
    assert (job.state, job.ended_us, job.counts.received) == (JobState.DONE, START, 0)


def test_closed_job_is_done_when_each_photo_has_ended(
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


def test_photos_are_listed_only_when_a_job_can_be_done(
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


def test_photo_that_was_deleted_after_it_ended_still_counts(
    keeper: JobKeeper, store: FakeJobStore, files: FailingFolder, clock: Clock
) -> None:
    put(files, "b", photo())
    opened(store)
    end(store, "a", clock)
    end(store, "b", clock)
    store.close_job(JOB_ID, now_us=clock())
    keeper.run()
    assert (state_of(store), store.jobs[JOB_ID].counts.received) == (JobState.DONE, 2)


def test_photos_whose_events_were_lost_are_delivered_again_after_the_retry_time(
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


def test_lost_photos_are_delivered_again_each_day_even_if_other_jobs_fill_the_queue(
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


def test_paused_job_goes_on_when_the_account_can_pay(
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
def test_paused_job_gets_only_the_photos_that_can_be_paid_and_some_that_possibly_fail(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    """Otherwise, each refund of a failed photo would deliver all other photos again."""
    opened(store)
    for number in range(2 * SPARE):
        store.park_object(JOB_ID, f"{number}", now_us=clock())
    store.set_paused(JOB_ID, is_paused=True)
    around.payable = 3
    calls: list[str] = []
    store.before = calls.append
    replace(keeper, is_idle=lambda: False).run()
    assert calls.count("list_objects") == 1 + (SPARE + 3) // ROWS
    store.before = lambda _: None
    ((_, first),) = around.delivered
    assert len(set(first)) == SPARE + 3
    for source in first:  # all photos fail, and the job has not been paused again
        end(store, source, clock, ObjectState.FAILED)
    later(clock, RETRY_S)
    replace(keeper, is_idle=lambda: False).run()
    assert len(around.delivered) == 1  # the other photos can be in the queue
    keeper.run()
    assert len(around.delivered) == 2
    assert not set(around.delivered[1][1]) & set(first)


def test_photos_left_out_by_a_resume_are_delivered_even_if_the_queue_is_not_empty(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    opened(store)
    for number in range(2 * SPARE):
        store.park_object(JOB_ID, f"{number}", now_us=clock())
    store.set_paused(JOB_ID, is_paused=True)
    store.close_job(JOB_ID, now_us=clock())
    around.payable = 1
    busy = replace(keeper, is_idle=lambda: False)
    busy.run()
    later(clock, RETRY_S)
    busy.run()
    assert [len(sources) for _, sources in around.delivered] == [SPARE + 1] * 2


def test_paused_job_whose_photos_cannot_be_delivered_goes_on_in_the_next_run(
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


def test_paused_job_that_is_closed_does_not_end(
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


def test_cancelled_job_ends_after_its_running_photos(
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
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "PAGE", ROWS)


@pytest.fixture
def five_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "MOST_CANCELLED", 5)


@pytest.mark.usefixtures("five_at_once")
def test_run_cancels_a_limited_number_of_photos_and_takes_the_step_of_each_other_job(
    keeper: JobKeeper, store: FakeJobStore, files: FailingFolder, clock: Clock, around: Surroundings
) -> None:
    """A write takes some milliseconds, and a job can have 50,000 photos to cancel."""
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


def test_photos_of_a_job_are_read_once_in_a_run(
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
    assert calls == [*steps, "record_attempt"]


def test_run_without_time_for_all_jobs_announces_those_that_have_ended(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    names = ended_jobs(store, clock, ["a", "b", "c"])
    store.before = lambda step: later(clock, RUN_S if step == "end_job" else 0)
    for count in (1, 2, 3):
        keeper.run()
        assert len(around.notified) == count
    assert {job.job_id for job in around.notified} == set(names)


def test_jobs_are_announced_even_if_the_list_of_jobs_ends_with_an_error(
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


def test_job_ends_and_is_announced_even_if_the_clock_was_set_back(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    store.park_object(opened(store, notify=True), "a", now_us=clock())
    later(clock, 1_000 * 86_400)
    store.cancel_job(JOB_ID, now_us=clock())
    later(clock, 1 - WORKER_S)  # clocks of two machines differ
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


def test_accepted_notification_is_sent_once(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    store.close_job(opened(store, notify=True), now_us=clock())
    for _ in range(3):
        keeper.run()
        later(clock, BACKOFF_S[0])
    (job,) = around.notified
    assert (job.state, job.notification and job.notification.url) == (JobState.DONE, URL)
    assert len(around.announced) == 1


def test_notification_is_repeated_with_longer_waits_and_at_last_not_repeated(
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


@pytest.mark.parametrize("step", ["list_objects", "end_job", "find_job", "record_attempt"])
def test_failed_step_is_reported_and_repeated_by_the_next_run(
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


def ended_jobs(store: FakeJobStore, clock: Clock, accounts: Iterable[str]) -> list[str]:
    """Store a closed job with a notification for each account; return their ids."""
    names = []
    for number, account_id in enumerate(accounts):
        names.append(opened(store, f"job_{number:03}", notify=True))
        store.jobs[names[-1]] = replace(store.jobs[names[-1]], account_id=account_id)
        store.close_job(names[-1], now_us=clock())
    return names


def test_slow_notifications_run_at_the_same_time_and_delay_no_other_job(
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


def test_account_has_few_notifications_in_a_run_and_others_are_not_delayed(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    names = ended_jobs(store, clock, ["busy"] * 10 + ["other"])
    keeper.run()
    assert len(around.notified) == MOST_OF_AN_ACCOUNT + 1
    assert names[-1] in {job.job_id for job in around.notified}
    for _ in range(2):
        keeper.run()
    assert sorted(job.job_id for job in around.notified) == names
    assert sorted(job.job_id for job in around.announced) == names


def test_run_has_a_limited_number_of_notifications(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    names = ended_jobs(store, clock, [f"account {number}" for number in range(MOST + 3)])
    keeper.run()
    assert len(around.notified) == MOST
    keeper.run()
    assert sorted(job.job_id for job in around.notified) == names


def test_unexpected_error_of_a_notification_counts_as_an_attempt(
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


@pytest.mark.parametrize("notify", [False, True])
def test_job_is_announced_later_if_the_operators_system_fails(
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


def test_operators_system_that_is_unavailable_is_asked_once_in_a_run(
    keeper: JobKeeper, store: FakeJobStore, clock: Clock, around: Surroundings
) -> None:
    """Each request takes its whole time limit, and the keeper has to end before its own."""
    for number in range(5):
        store.close_job(opened(store, f"job_{number}", notify=number > 2), now_us=clock())
    asked: list[str] = []

    def fail(job: Job) -> None:
        asked.append(job.job_id)
        message = "no event bus"
        raise UnavailableError(message)

    replace(keeper, announce=fail).run()
    assert len(asked) == 1
    keeper.run()
    assert len(around.announced) == 5
    assert list(store.list_active()) == []


def once(step: str, error: Exception) -> Callable[[str], None]:
    """Return a function that raises the error at the first call of a method."""
    left = [error]

    def before(name: str) -> None:
        if name == step and left:
            raise left.pop()

    return before


def test_unavailable_list_of_jobs_fails_the_run(keeper: JobKeeper, store: FakeJobStore) -> None:
    store.before = once("list_active", UnavailableError("no store"))
    with pytest.raises(UnavailableError):
        keeper.run()

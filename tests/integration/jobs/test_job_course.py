"""A job from start to end, on SQLite and on DynamoDB: photos, pauses, and the job keeper."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START, entry, open_account
from tests.integration.jobs.job_owner import JobOwner, new_job, require_exact
from tests.unit.imaging.predictors import DiscPredictor
from tests.unit.jobs.conftest import photo, put

from blur.accounts.model import Instant
from blur.api.job_request import parse_parameters
from blur.credits import Credits
from blur.engine import Engine
from blur.jobs.keeper import JobKeeper
from blur.jobs.model import Job, JobState, ObjectState
from blur.jobs.runner import ObjectRunner, Outcome
from blur.prices import Prices
from blur.storage.job_folder import JobFolder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from blur.accounts.ports import AccountStore
    from blur.jobs.ports import JobStore

PRICE = Credits(4)
WORKER_S = 180


@dataclass
class Course:
    """A job, the runner of its photos, the keeper of jobs, a queue in memory and a clock."""

    jobs: JobStore
    owner: JobOwner
    folder: JobFolder
    store: AccountStore
    at_us: int = START
    queue: list[str] = field(default_factory=list)
    announced: list[Job] = field(default_factory=list)

    def clock(self) -> Instant:
        return Instant(self.at_us)

    def upload(self, source: str, data: bytes) -> None:
        put(self.folder, source, data, self.owner.job_id)
        self.queue.append(source)

    def work(self) -> None:
        """Process the queue until it is empty; each photo is delivered twice."""
        ticks = itertools.count(step=1_000_000)
        runner = ObjectRunner(
            jobs=self.jobs,
            files=self.folder,
            engine=Engine(model=DiscPredictor, max_pixels=10_000),
            prices=Prices(image=PRICE, preview=PRICE, person=PRICE),
            parse=parse_parameters,
            max_bytes=100_000,
            hold_ttl_s=120,
            deadline_margin_s=5,
            clock=self.clock,
            ticks=lambda: next(ticks),
        )
        while self.queue:
            source = self.queue.pop()
            for attempt in (1, 2):
                outcome = runner.run(self.owner.job_id, source, attempt=attempt, left_ms=60_000)
                assert outcome not in {Outcome.RETRY, Outcome.WAIT}

    def keep(self) -> None:
        """Advance the clock by a minute, and run the keeper of jobs."""
        self.at_us += 60_000_000

        def enqueue(job_id: str, sources: Iterable[str]) -> None:
            if job_id == self.owner.job_id:  # the table can have jobs of other tests
                self.queue.extend(sources)

        def payable(job: Job) -> int:
            account = self.store.read_account(job.account_id, now_us=self.clock())
            return account.balance // PRICE

        JobKeeper(
            jobs=self.jobs,
            files=self.folder,
            payable=payable,
            enqueue=enqueue,
            announce=self.announced.append,
            notify=lambda _: True,
            clock=self.clock,
            period_s=60,
            retry_s=600,
            max_attempt_s=WORKER_S,
            max_run_s=60,
        ).run()

    @property
    def job(self) -> Job:
        return self.jobs.find_job(self.owner.job_id)

    def states(self) -> dict[str, ObjectState]:
        page = self.jobs.list_objects(self.owner.job_id, states=tuple(ObjectState), limit=100)
        return {row.source: row.state for row in page.objects}


@pytest.fixture
def course(store: AccountStore, jobs: JobStore, tmp_path: Path) -> Course:
    """Return an open job of an account with 100 quarters of a credit."""
    customer = open_account(store, 100)
    job = replace(new_job(customer), parameters={"radius": "2%"})
    jobs.create_job(job)
    return Course(jobs, JobOwner(customer, job.job_id), JobFolder(tmp_path / "media"), store)


def test_job_ends_with_one_row_and_at_most_one_charge_for_each_photo(course: Course) -> None:
    for number in range(5):
        course.upload(f"{number}.png", photo())
    course.upload("text.png", b"text")
    course.work()
    course.keep()
    assert course.job.state is JobState.OPEN
    course.jobs.close_job(course.owner.job_id, now_us=course.clock())
    course.keep()
    assert (course.job.state, course.job.counts.received) == (JobState.DONE, 6)
    assert (course.job.counts.done, course.job.counts.failed) == (5, 1)
    account = require_exact(course.store, course.jobs, course.owner, course.clock())
    assert (account.used, account.held) == (5 * PRICE, 0)
    course.keep()
    announced = [job.job_id for job in course.announced]
    assert announced.count(course.owner.job_id) == 1
    assert course.owner.job_id not in {job.job_id for job in course.jobs.list_active()}


def test_a_job_without_credits_continues_after_a_top_up(course: Course) -> None:
    for number in range(30):
        course.upload(f"{number}.png", photo())
    course.jobs.close_job(course.owner.job_id, now_us=course.clock())
    course.work()
    course.keep()
    assert (course.job.shown_state, course.queue) == ("paused", [])
    assert course.job.counts.charged == 100
    course.store.append_entry(entry(course.owner.customer.account_id, 40, at_us=course.clock()))
    for _ in range(2):
        course.keep()
        course.work()
    course.keep()
    assert course.job.state is JobState.DONE
    account = require_exact(course.store, course.jobs, course.owner, course.clock())
    assert (account.used, account.balance) == (120, 20)


def test_cancelled_job_ends_and_charges_only_finished_photos(course: Course) -> None:
    course.upload("a.png", photo())
    course.work()
    course.upload("b.png", photo())
    course.upload("c.png", photo())
    late = course.queue.pop()
    course.jobs.cancel_job(course.owner.job_id, now_us=course.clock())
    course.work()
    for _ in range(WORKER_S // 60):
        course.keep()
    assert course.states() == {
        "a.png": ObjectState.DONE,
        "b.png": ObjectState.CANCELLED,
        late: ObjectState.CANCELLED,
    }
    assert (course.job.state, course.job.counts.received) == (JobState.CANCELLED, 3)
    assert course.job.ended_us is not None
    account = require_exact(course.store, course.jobs, course.owner, course.clock())
    assert account.used == PRICE


def test_the_keeper_queues_a_photo_after_retry_s_if_its_event_was_lost(course: Course) -> None:
    course.upload("a.png", photo())
    course.queue.clear()
    course.jobs.close_job(course.owner.job_id, now_us=course.clock())
    for _ in range(10):
        course.keep()
    assert course.queue == ["a.png"]
    course.work()
    course.keep()
    assert course.job.state is JobState.DONE

"""A keeper with a folder and a fake store, and records of the keeper's calls."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from tests.unit.jobs.conftest import JOB_ID, FailingFolder, new_job

from blur.jobs.keeper import JobKeeper
from blur.jobs.model import Job, JobObject, JobState, Notification, ObjectState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.clocks import Clock
    from tests.unit.jobs.fake_store import FakeJobStore

PERIOD_S, RETRY_S, WORKER_S, RUN_S = 60, 3_600, 180, 120
ROWS = 10
URL = "https://example.com/ended"


@dataclass
class Surroundings:
    """Fakes of the queue, the account and the recipient of notifications for the keeper."""

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
        max_attempt_s=WORKER_S,
        max_run_s=RUN_S,
        on_error=around.errors.append,
    )


def opened(store: FakeJobStore, job_id: str = JOB_ID, *, notify: bool = False) -> str:
    """Store an open job with or without a notification, and return the id of the job."""
    job = new_job(job_id)
    target = Notification(url=URL, secret="whsec_") if notify else None  # noqa: S106 - this is not a secret
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


def ended_jobs(store: FakeJobStore, clock: Clock, accounts: Iterable[str]) -> list[str]:
    """For each account, store a closed job with a notification; return the ids of the jobs."""
    names = []
    for number, account_id in enumerate(accounts):
        names.append(opened(store, f"job_{number:03}", notify=True))
        store.jobs[names[-1]] = replace(store.jobs[names[-1]], account_id=account_id)
        store.close_job(names[-1], now_us=clock())
    return names


def once(step: str, error: Exception) -> Callable[[str], None]:
    """Return a function that raises the error at the first call of the method `step`."""
    left = [error]

    def before(name: str) -> None:
        if name == step and left:
            raise left.pop()

    return before

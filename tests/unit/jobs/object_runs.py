"""Functions to process a photo of a job, read the row of the photo, and make a step fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.jobs.conftest import JOB_ID, SOURCE, FailingFolder

from blur.jobs.model import JobObject, object_id

if TYPE_CHECKING:
    from tests.unit.jobs.fake_store import FakeJobStore

    from blur.jobs.runner import ObjectRunner, Outcome

MINUTE_MS = 60_000


def run(runner: ObjectRunner, source: str = SOURCE, *, attempt: int = 1) -> Outcome:
    return runner.run(JOB_ID, source, attempt=attempt, left_ms=MINUTE_MS)


def row_of(store: FakeJobStore, source: str = SOURCE) -> JobObject:
    return store.rows[JOB_ID][object_id(source)]


def fail(name: str, error: BaseException, store: FakeJobStore | FailingFolder) -> None:
    def before(called: str) -> None:
        if called == name:
            raise error

    store.before = before

"""Photos that fail, and photos that are retried after a failure of the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.jobs.conftest import JOB_ID, SOURCE, FailingFolder, new_job, put
from tests.unit.jobs.object_runs import fail, row_of, run

from blur.credits import ZERO, whole
from blur.errors import ResponseLostError, UnavailableError
from blur.jobs.model import ObjectState
from blur.jobs.runner import DELETED, LOST, MAX_ATTEMPTS, REVOKED, ObjectRunner, Outcome

if TYPE_CHECKING:
    from tests.unit.jobs.conftest import Log
    from tests.unit.jobs.fake_store import FakeJobStore

pytestmark = pytest.mark.usefixtures("job")


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"not a photo", "invalid_image"), (b"x" * 200_000, "image_too_large")],
)
def test_an_invalid_or_too_large_photo_fails_without_a_charge(
    runner: ObjectRunner, store: FakeJobStore, files: FailingFolder, data: bytes, code: str
) -> None:
    put(files, SOURCE, data)
    assert run(runner) is Outcome.ENDED
    row = row_of(store)
    assert (row.state, row.code, row.charged) == (ObjectState.FAILED, code, ZERO)
    assert row.message
    assert (store.balance, store.holds) == (whole(10), {})


def test_an_object_whose_photo_was_deleted_fails(runner: ObjectRunner, store: FakeJobStore) -> None:
    assert run(runner, "missing.jpg") is Outcome.ENDED
    row = row_of(store, "missing.jpg")
    assert (row.code, row.message) == ("upload_not_found", DELETED)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnavailableError("no storage"), "temporarily_unavailable"),
        (ResponseLostError(), "internal_error"),
        (RuntimeError("a bug"), "internal_error"),
        (MemoryError(), "internal_error"),
    ],
)
@pytest.mark.parametrize("step", ["read_source", "write_result"])
def test_a_failure_of_the_service_is_retried_and_after_the_last_attempt_the_photo_fails(  # noqa: PLR0913, PLR0917 - most parameters are fixtures
    runner: ObjectRunner,
    store: FakeJobStore,
    files: FailingFolder,
    error: Exception,
    code: str,
    step: str,
) -> None:
    fail(step, error, files)
    for attempt in range(1, MAX_ATTEMPTS):
        assert run(runner, attempt=attempt) is Outcome.RETRY
        assert store.rows[JOB_ID] == {}
    assert run(runner, attempt=MAX_ATTEMPTS) is Outcome.ENDED
    assert (row_of(store).state, row_of(store).code) == (ObjectState.FAILED, code)
    assert (store.balance, store.holds) == (whole(10), {})


def test_unexpected_errors_of_a_photo_and_of_the_store_are_reported(
    runner: ObjectRunner, store: FakeJobStore, files: FailingFolder, log: Log
) -> None:
    in_photo, in_store = RuntimeError("in the photo"), ValueError("in the store")
    fail("read_source", in_photo, files)
    run(runner)
    fail("reserve_object", in_store, store)
    assert run(runner) is Outcome.RETRY
    assert log.errors == [in_photo, in_store]


def test_a_photo_that_killed_its_workers_fails_and_is_not_started_again(
    runner: ObjectRunner, store: FakeJobStore, files: FailingFolder
) -> None:
    fail("read_source", AssertionError("started"), files)
    assert run(runner, attempt=MAX_ATTEMPTS + 1) is Outcome.ENDED
    row = row_of(store)
    assert (row.state, row.code, row.message) == (ObjectState.FAILED, "internal_error", LOST)


@pytest.mark.parametrize(
    "step", ["find_job", "find_object", "reserve_object", "set_paused", "park_object", "end_object"]
)
def test_no_photo_is_done_or_failed_while_the_store_is_unavailable(
    runner: ObjectRunner, store: FakeJobStore, step: str
) -> None:
    if step in {"set_paused", "park_object"}:
        store.balance = ZERO
    fail(step, UnavailableError("no store"), store)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert run(runner, attempt=attempt) is Outcome.WAIT
    assert store.rows[JOB_ID] == {}


def test_a_photo_that_takes_too_long_is_retried_and_fails_after_the_last_attempt(
    runner: ObjectRunner, store: FakeJobStore
) -> None:
    assert runner.run(JOB_ID, SOURCE, attempt=1, left_ms=5_000) is Outcome.RETRY
    assert runner.run(JOB_ID, SOURCE, attempt=MAX_ATTEMPTS, left_ms=5_000) is Outcome.ENDED
    assert row_of(store).code == "temporarily_unavailable"


def test_a_photo_fails_if_the_key_of_its_job_was_revoked(
    runner: ObjectRunner, store: FakeJobStore
) -> None:
    store.is_key_valid = False
    assert run(runner) is Outcome.ENDED
    assert (row_of(store).state, row_of(store).code) == (ObjectState.FAILED, "invalid_api_key")
    assert row_of(store).message == REVOKED


def test_a_photo_fails_if_a_parameter_of_its_job_is_no_longer_valid(
    runner: ObjectRunner, store: FakeJobStore
) -> None:
    store.jobs[JOB_ID] = new_job(mode="removed-in-this-version")
    assert run(runner) is Outcome.ENDED
    assert row_of(store).code == "invalid_mode"

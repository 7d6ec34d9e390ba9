"""One object of a job: its hold, its result, its final row, and its failures."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from tests.unit.jobs.conftest import JOB_ID, SOURCE, FailingFolder, new_job, put

from blur.accounts.model import KeyKind
from blur.credits import ZERO, whole
from blur.errors import LostError, UnavailableError
from blur.jobs.model import JobObject, JobState, ObjectState, hold_id, object_id
from blur.jobs.runner import (
    DELETED,
    LOST,
    MAX_ATTEMPTS,
    REVOKED,
    ObjectRunner,
    Outcome,
    result_name,
)

if TYPE_CHECKING:
    from tests.unit.jobs.conftest import Clock, Log
    from tests.unit.jobs.fake_store import FakeJobStore

    from blur.jobs.model import Job

pytestmark = pytest.mark.usefixtures("job")
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


def test_photo_is_stored_charged_and_gets_a_final_row(
    runner: ObjectRunner, store: FakeJobStore, files: FailingFolder, log: Log
) -> None:
    assert run(runner) is Outcome.ENDED
    row = row_of(store)
    assert (row.state, row.charged, row.content_type) == (ObjectState.DONE, whole(2), "image/png")
    assert (row.pixels, row.code, row.message) == (1200, None, None)
    assert row.duration_ms > 0
    assert (store.balance, store.holds) == (whole(8), {})
    with Image.open(io.BytesIO(files.read_result(JOB_ID, row.object_id))) as result:
        assert (result.format, result.size) == ("PNG", (40, 30))
    (ended,) = log.ended
    assert (ended.row.source, ended.row.charged) == (SOURCE, whole(2))
    assert set(ended.steps_ms) == {"read", "decode", "matte", "refine", "blur", "encode", "store"}


def test_second_delivery_changes_nothing(
    runner: ObjectRunner, store: FakeJobStore, log: Log
) -> None:
    run(runner)
    row = row_of(store)
    assert run(runner, attempt=2) is Outcome.ENDED
    assert row_of(store) is row
    assert (store.balance, len(log.ended)) == (whole(8), 1)


def test_hold_id_depends_on_job_and_source_and_the_hold_lasts_longer_than_the_attempt(
    runner: ObjectRunner, store: FakeJobStore, files: FailingFolder, clock: Clock
) -> None:
    fail("read_source", UnavailableError("no storage"), files)
    assert run(runner) is Outcome.RETRY
    (hold,) = store.holds.values()
    assert hold.hold_id == hold_id(JOB_ID, SOURCE)
    assert (hold.account_id, hold.key_digest, hold.price) == ("account", "digest", whole(2))
    assert hold.expires_us == clock() + 60_000_000


def test_price_depends_on_the_parameters(runner: ObjectRunner, store: FakeJobStore) -> None:
    store.jobs[JOB_ID] = new_job(subject="person")
    store.balance = whole(2)
    assert run(runner) is Outcome.PARKED
    assert store.jobs[JOB_ID].is_paused


def test_photos_of_test_keys_are_free_and_have_a_watermark(
    runner: ObjectRunner, store: FakeJobStore, files: FailingFolder
) -> None:
    store.jobs[JOB_ID] = new_job(kind=KeyKind.TEST)
    store.balance = ZERO
    run(runner)
    marked = files.read_result(JOB_ID, object_id(SOURCE))
    store.jobs[JOB_ID], store.rows[JOB_ID], store.balance = new_job(), {}, whole(2)
    run(runner)
    assert store.balance == ZERO
    assert files.read_result(JOB_ID, object_id(SOURCE)) != marked


def test_log_of_a_photo_whose_hold_has_expired_has_no_charge(
    runner: ObjectRunner, job: Job, files: FailingFolder, clock: Clock, log: Log
) -> None:
    """The store also charges nothing."""

    def wait(step: str) -> None:
        if step == "write_result":
            clock.at_us += runner.hold_ttl_s * 1_000_000

    files.before = wait
    assert runner.run(job.job_id, SOURCE, attempt=1, left_ms=600_000) is Outcome.ENDED
    assert [ended.row.charged for ended in log.ended] == [ZERO]


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"not a photo", "invalid_image"), (b"x" * 200_000, "image_too_large")],
)
def test_error_of_the_photo_ends_it_without_a_charge(
    runner: ObjectRunner, store: FakeJobStore, files: FailingFolder, data: bytes, code: str
) -> None:
    put(files, SOURCE, data)
    assert run(runner) is Outcome.ENDED
    row = row_of(store)
    assert (row.state, row.code, row.charged) == (ObjectState.FAILED, code, ZERO)
    assert row.message
    assert (store.balance, store.holds) == (whole(10), {})


def test_deleted_photo_fails(runner: ObjectRunner, store: FakeJobStore) -> None:
    assert run(runner, "missing.jpg") is Outcome.ENDED
    row = row_of(store, "missing.jpg")
    assert (row.code, row.message) == ("upload_not_found", DELETED)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnavailableError("no storage"), "temporarily_unavailable"),
        (LostError(), "internal_error"),
        (RuntimeError("a bug"), "internal_error"),
        (MemoryError(), "internal_error"),
    ],
)
@pytest.mark.parametrize("step", ["read_source", "write_result"])
def test_failure_of_the_service_is_retried_and_after_the_last_attempt_the_photo_fails(  # noqa: PLR0913, PLR0917 - fixtures
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


def test_unexpected_errors_are_reported(
    runner: ObjectRunner, store: FakeJobStore, files: FailingFolder, log: Log
) -> None:
    in_photo, in_store = RuntimeError("in the photo"), ValueError("in the store")
    fail("read_source", in_photo, files)
    run(runner)
    fail("reserve_object", in_store, store)
    assert run(runner) is Outcome.RETRY
    assert log.errors == [in_photo, in_store]


def test_photo_that_killed_its_workers_fails_without_another_start(
    runner: ObjectRunner, store: FakeJobStore, files: FailingFolder
) -> None:
    fail("read_source", AssertionError("started"), files)
    assert run(runner, attempt=MAX_ATTEMPTS + 1) is Outcome.ENDED
    row = row_of(store)
    assert (row.state, row.code, row.message) == (ObjectState.FAILED, "internal_error", LOST)


@pytest.mark.parametrize(
    "step", ["find_job", "find_object", "reserve_object", "set_paused", "park_object", "end_object"]
)
def test_no_photo_ends_while_the_store_is_unavailable(
    runner: ObjectRunner, store: FakeJobStore, step: str
) -> None:
    if step in {"set_paused", "park_object"}:
        store.balance = ZERO
    fail(step, UnavailableError("no store"), store)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert run(runner, attempt=attempt) is Outcome.WAIT
    assert store.rows[JOB_ID] == {}


def test_photo_that_takes_too_long_is_retried(runner: ObjectRunner, store: FakeJobStore) -> None:
    assert runner.run(JOB_ID, SOURCE, attempt=1, left_ms=5_000) is Outcome.RETRY
    assert runner.run(JOB_ID, SOURCE, attempt=MAX_ATTEMPTS, left_ms=5_000) is Outcome.ENDED
    assert row_of(store).code == "temporarily_unavailable"


def test_low_balance_pauses_the_job_and_parks_the_photo(
    runner: ObjectRunner, store: FakeJobStore
) -> None:
    store.balance = whole(1)
    assert run(runner) is Outcome.PARKED
    assert store.jobs[JOB_ID].is_paused
    assert row_of(store).state is ObjectState.WAITING


def test_photo_of_a_paused_job_is_parked_and_done_after_it_goes_on(
    runner: ObjectRunner, store: FakeJobStore
) -> None:
    store.set_paused(JOB_ID, is_paused=True)
    assert run(runner) is Outcome.PARKED
    assert store.balance == whole(10)
    store.set_paused(JOB_ID, is_paused=False)
    assert run(runner) is Outcome.ENDED
    assert row_of(store).state is ObjectState.DONE


def test_photo_that_is_parked_while_its_job_goes_on_is_retried(
    runner: ObjectRunner, store: FakeJobStore
) -> None:
    store.set_paused(JOB_ID, is_paused=True)

    def resume(name: str) -> None:
        if name == "park_object":
            store.jobs[JOB_ID] = replace(store.jobs[JOB_ID], is_paused=False)

    store.before = resume
    assert run(runner) is Outcome.RETRY


def test_revoked_key_fails_the_photo(runner: ObjectRunner, store: FakeJobStore) -> None:
    store.is_key_valid = False
    assert run(runner) is Outcome.ENDED
    assert (row_of(store).state, row_of(store).code) == (ObjectState.FAILED, "invalid_api_key")
    assert row_of(store).message == REVOKED


def test_parameter_that_is_no_longer_valid_fails_the_photo(
    runner: ObjectRunner, store: FakeJobStore
) -> None:
    store.jobs[JOB_ID] = new_job(mode="removed-in-this-version")
    assert run(runner) is Outcome.ENDED
    assert row_of(store).code == "invalid_mode"


def test_photo_of_a_cancelled_job_is_cancelled_and_free(
    runner: ObjectRunner, store: FakeJobStore, job: Job, clock: Clock
) -> None:
    store.cancel_job(job.job_id, now_us=clock())
    assert run(runner) is Outcome.ENDED
    assert row_of(store).state is ObjectState.CANCELLED
    assert store.balance == whole(10)


def test_photos_of_ended_and_unknown_jobs_are_removed_from_the_queue(
    runner: ObjectRunner, store: FakeJobStore, job: Job, clock: Clock
) -> None:
    store.jobs[JOB_ID] = replace(job, state=JobState.DONE, ended_us=clock())
    assert run(runner) is Outcome.ENDED
    assert store.rows[JOB_ID] == {}
    assert runner.run("job_2", SOURCE, attempt=1, left_ms=MINUTE_MS) is Outcome.ENDED


def test_photo_that_another_delivery_ended_first_is_not_charged_again(
    runner: ObjectRunner, store: FakeJobStore, files: FailingFolder, log: Log
) -> None:
    def end_elsewhere(name: str) -> None:
        if name == "write_result":
            row = JobObject(job_id=JOB_ID, source=SOURCE, state=ObjectState.CANCELLED)
            store.end_object(row, None, now_us=runner.clock())

    files.before = end_elsewhere
    assert run(runner) is Outcome.ENDED
    assert row_of(store).state is ObjectState.CANCELLED
    assert (store.balance, store.holds, log.ended) == (whole(10), {}, [])


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("photo.jpg", "photo.webp"),
        ("a/b/photo.v2.jpg", "photo.v2.webp"),
        ("photo", "photo.webp"),
        ("Schuhe größe 42.png", "Schuhe_gr_e_42.webp"),
        ('"; rm -rf".jpg', "rm_-rf.webp"),
        ("写真.jpg", "result.webp"),
        (".jpg", "jpg.webp"),
        ("a/", "result.webp"),
        ("x" * 300 + ".jpg", "x" * 100 + ".webp"),
    ],
)
def test_result_is_saved_under_a_safe_name(source: str, name: str) -> None:
    assert result_name(source, "webp") == name

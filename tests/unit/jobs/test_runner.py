"""One photo of a job: its hold, its result, its final row, and the state of the job."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from tests.unit.jobs.conftest import JOB_ID, SOURCE, FailingFolder, new_job
from tests.unit.jobs.object_runs import MINUTE_MS, fail, row_of, run

from blur.accounts.model import KeyKind
from blur.credits import ZERO, whole
from blur.errors import UnavailableError
from blur.jobs.model import JobObject, JobState, ObjectState, hold_id, object_id
from blur.jobs.runner import ObjectRunner, Outcome, result_name

if TYPE_CHECKING:
    from tests.clocks import Clock
    from tests.unit.jobs.conftest import Log
    from tests.unit.jobs.fake_store import FakeJobStore

    from blur.jobs.model import Job

pytestmark = pytest.mark.usefixtures("job")


def test_the_result_of_a_photo_is_stored_the_photo_is_charged_and_its_final_row_is_written(
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


def test_processing_the_same_photo_again_changes_nothing(
    runner: ObjectRunner, store: FakeJobStore, log: Log
) -> None:
    run(runner)
    row = row_of(store)
    assert run(runner, attempt=2) is Outcome.ENDED
    assert row_of(store) is row
    assert (store.balance, len(log.ended)) == (whole(8), 1)


def test_a_hold_lasts_60_seconds_and_its_id_depends_on_the_job_and_the_name_of_the_photo(
    runner: ObjectRunner, store: FakeJobStore, files: FailingFolder, clock: Clock
) -> None:
    fail("read_source", UnavailableError("no storage"), files)
    assert run(runner) is Outcome.RETRY
    (hold,) = store.holds.values()
    assert hold.hold_id == hold_id(JOB_ID, SOURCE)
    assert (hold.account_id, hold.key_digest, hold.price) == ("account", "digest", whole(2))
    assert hold.expires_us == clock() + 60_000_000


def test_the_price_of_a_photo_depends_on_the_parameters(
    runner: ObjectRunner, store: FakeJobStore
) -> None:
    store.jobs[JOB_ID] = new_job(subject="person")
    store.balance = whole(2)
    assert run(runner) is Outcome.PARKED
    assert store.jobs[JOB_ID].is_paused


def test_photos_of_test_keys_are_free_and_their_results_have_a_watermark(
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


def test_the_log_line_of_a_photo_whose_hold_has_expired_shows_no_charge(
    runner: ObjectRunner, job: Job, files: FailingFolder, clock: Clock, log: Log
) -> None:
    """The store does not charge a photo whose hold has expired."""

    def wait(step: str) -> None:
        if step == "write_result":
            clock.at_us += runner.hold_ttl_s * 1_000_000

    files.before = wait
    assert runner.run(job.job_id, SOURCE, attempt=1, left_ms=600_000) is Outcome.ENDED
    assert [ended.row.charged for ended in log.ended] == [ZERO]


def test_the_job_is_paused_and_the_photo_waits_if_the_balance_is_too_low(
    runner: ObjectRunner, store: FakeJobStore
) -> None:
    store.balance = whole(1)
    assert run(runner) is Outcome.PARKED
    assert store.jobs[JOB_ID].is_paused
    assert row_of(store).state is ObjectState.WAITING


def test_a_photo_of_a_paused_job_waits_and_is_done_after_the_job_resumes(
    runner: ObjectRunner, store: FakeJobStore
) -> None:
    store.set_paused(JOB_ID, is_paused=True)
    assert run(runner) is Outcome.PARKED
    assert store.balance == whole(10)
    store.set_paused(JOB_ID, is_paused=False)
    assert run(runner) is Outcome.ENDED
    assert row_of(store).state is ObjectState.DONE


def test_a_photo_is_retried_if_its_job_resumes_while_the_photo_is_set_to_waiting(
    runner: ObjectRunner, store: FakeJobStore
) -> None:
    store.set_paused(JOB_ID, is_paused=True)

    def resume(name: str) -> None:
        if name == "park_object":
            store.jobs[JOB_ID] = replace(store.jobs[JOB_ID], is_paused=False)

    store.before = resume
    assert run(runner) is Outcome.RETRY


def test_a_photo_of_a_cancelled_job_is_cancelled_and_free(
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


def test_a_photo_that_another_worker_has_finished_in_the_meantime_is_not_charged(
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
def test_a_result_is_saved_under_a_safe_name(source: str, name: str) -> None:
    assert result_name(source, "webp") == name

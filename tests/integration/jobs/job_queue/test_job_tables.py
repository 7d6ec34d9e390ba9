"""The job tables in SQLite: expired jobs are deleted, and each call reads only a few rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START, after, open_account
from tests.integration.jobs.job_owner import JobOwner, new_job, process
from tests.integration.jobs.job_queue.conftest import claimed_sources

from blur.accounts.sqlite.job_schema import JOB_TABLES
from blur.job_errors import JobNotFoundError
from blur.jobs.model import KEPT_S, ObjectState
from blur.jobs.sqlite import object_rows
from blur.jobs.sqlite.job_store import SqliteJobStore

if TYPE_CHECKING:
    from pathlib import Path

    from blur.accounts.sqlite.account_store import SqliteAccountStore

JOBS = 2_000


def test_failures_are_listed_without_reading_the_other_rows(
    queue: SqliteJobStore, owner: JobOwner, path: Path
) -> None:
    for number in range(300):
        queue.add_object(owner.job_id, f"{number}.jpg", now_us=START)
    queue.end_object(owner.row("7.jpg", ObjectState.FAILED), None, now_us=START)
    steps = list[None]()
    with closing(sqlite3.connect(path)) as file:
        file.row_factory = sqlite3.Row
        file.set_progress_handler(lambda: steps.append(None), 1)
        page = object_rows.page(file, owner.job_id, [ObjectState.FAILED], None, 9)
    assert [row.source for row in page.objects] == ["7.jpg"]
    assert 0 < len(steps) < 300


def test_a_new_job_deletes_an_expired_job_with_its_rows(
    accounts: SqliteAccountStore, queue: SqliteJobStore, owner: JobOwner, path: Path
) -> None:
    assert process(queue, owner, "1.jpg")
    kept = new_job(owner.customer, created_us=after(1))
    queue.create_job(kept)
    queue.create_job(new_job(owner.customer, created_us=after(KEPT_S)))
    assert queue.find_job(kept.job_id) == kept
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT COUNT(*) FROM job_objects").fetchone() == (0,)
        assert file.execute("SELECT COUNT(*) FROM jobs").fetchone() == (2,)
    assert accounts.read_account(owner.customer.account_id, now_us=after(2)).used == 4


def test_a_large_expired_job_is_deleted_in_parts(
    queue: SqliteJobStore, owner: JobOwner, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the job were deleted in one write, all calls would wait for the database for seconds."""
    monkeypatch.setattr("blur.jobs.sqlite.job_store.CLEANUP_ROWS_PER_JOB", 3)
    for number in range(10):
        queue.add_object(owner.job_id, f"{number}", now_us=START)
    late = after(KEPT_S)
    new = new_job(owner.customer, created_us=late)
    queue.create_job(new)
    left = []
    for number in range(5):
        with closing(sqlite3.connect(path)) as file:
            counted = "SELECT COUNT(*) FROM job_objects WHERE job_id = ?"
            left += file.execute(counted, (owner.job_id,)).fetchone()
        assert queue.add_object(new.job_id, f"new {number}", now_us=late)
    assert left == [7, 5, 3, 1, 0]
    with pytest.raises(JobNotFoundError):
        queue.find_job(owner.job_id)
    assert queue.find_job(new.job_id).counts.received == 5


def test_an_expired_job_accepts_no_new_object(queue: SqliteJobStore, owner: JobOwner) -> None:
    assert queue.add_object(owner.job_id, "a", now_us=START)
    assert not queue.add_object(owner.job_id, "b", now_us=after(KEPT_S))


def test_the_work_of_one_call_does_not_grow_with_the_number_of_jobs(
    queue: SqliteJobStore, owner: JobOwner, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client can create a hundred empty jobs each minute, and they are active for a day."""
    monkeypatch.setattr("blur.jobs.sqlite.job_rows.ACTIVE_AT_ONCE", 50)
    copies = f"""
        INSERT INTO jobs (job_id, account_id, key_digest, key_kind, parameters, created_us, state)
        WITH RECURSIVE numbers (number) AS
             (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {JOBS})
        SELECT job_id || number, account_id, key_digest, key_kind, parameters, created_us, state
        FROM jobs, numbers
    """  # noqa: S608 - the number is a constant
    with closing(sqlite3.connect(path)) as file:
        file.execute(copies)
        file.commit()
    assert queue.add_object(owner.job_id, "a", now_us=START)
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    with queue._file.transaction() as db:  # noqa: SLF001 - the test counts the steps of SQLite
        db.set_progress_handler(count, 100)
    assert claimed_sources(queue) == ["a"]
    queue.create_job(new_job(owner.customer))
    assert queue.count_waiting() == 1
    assert steps < JOBS // 100
    reached: set[str] = set()
    while len(reached) < JOBS:
        page = [job.job_id for job in queue.list_active()]
        assert len(page) == 50
        reached.update(page)


def test_a_database_file_of_an_earlier_version_gets_the_job_tables(
    accounts: SqliteAccountStore, path: Path
) -> None:
    customer = open_account(accounts)
    accounts.close()
    with closing(sqlite3.connect(path)) as file:
        file.execute("DROP TABLE job_objects")
        file.execute("DROP TABLE jobs")
    with closing(SqliteJobStore(path)) as queue:
        job = new_job(customer)
        queue.create_job(job)
        assert queue.add_object(job.job_id, "1.jpg", now_us=START)
        assert claimed_sources(queue) == ["1.jpg"]
    names = set(JOB_TABLES)
    with closing(sqlite3.connect(path)) as file:
        assert names <= {row[0] for row in file.execute("SELECT name FROM sqlite_master")}

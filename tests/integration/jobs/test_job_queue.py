"""The queue of the embedded server: waiting objects in SQLite, claimed by workers."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START, after, open_account
from tests.integration.jobs.job_owner import (
    FINAL_STATES,
    JobOwner,
    new_job,
    open_job,
    process,
    require_exact,
)

from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.accounts.sqlite.job_schema import JOB_TABLES
from blur.job_errors import JobNotFoundError
from blur.jobs.model import KEPT_S, JobCounts, ObjectState, object_id
from blur.jobs.sqlite import object_rows
from blur.jobs.sqlite.job_store import SqliteJobStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blur.accounts.model import Instant
    from blur.jobs.model import JobObject

LEASE_S = 60
JOBS = 2_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "accounts.db"


@pytest.fixture
def accounts(path: Path) -> Iterator[SqliteAccountStore]:
    with closing(SqliteAccountStore(path)) as opened:
        yield opened


@pytest.fixture
def queue(path: Path) -> Iterator[SqliteJobStore]:
    with closing(SqliteJobStore(path)) as opened:
        yield opened


@pytest.fixture
def owner(accounts: SqliteAccountStore, queue: SqliteJobStore) -> JobOwner:
    return open_job(accounts, queue)


def claim(queue: SqliteJobStore, now_us: Instant = START) -> JobObject | None:
    return queue.claim_object(now_us=now_us, lease_s=LEASE_S)


def claimed_sources(queue: SqliteJobStore, now_us: Instant = START) -> list[str]:
    """Claim objects until none is left to claim, and return their sources."""
    sources = []
    while claimed := claim(queue, now_us):
        sources.append(claimed.source)
    return sources


def test_an_object_is_added_once_and_counted(queue: SqliteJobStore, owner: JobOwner) -> None:
    assert queue.add_object(owner.job_id, "1.jpg", now_us=START)
    assert not queue.add_object(owner.job_id, "1.jpg", now_us=after(1))
    assert queue.find_job(owner.job_id).counts == JobCounts(received=1)
    assert queue.count_waiting() == 1
    assert process(queue, owner, "1.jpg")
    assert not queue.add_object(owner.job_id, "1.jpg", now_us=after(2))
    assert queue.find_job(owner.job_id).counts.received == 1
    assert queue.count_waiting() == 0


def test_objects_wait_until_they_are_done_failed_or_cancelled(
    queue: SqliteJobStore, owner: JobOwner
) -> None:
    for waiting, state in enumerate(FINAL_STATES):
        assert queue.add_object(owner.job_id, f"{state}.jpg", now_us=START)
        assert queue.count_waiting() == waiting + 1
    for ended, state in enumerate(FINAL_STATES, start=1):
        assert queue.end_object(owner.row(f"{state}.jpg", state), None, now_us=START)
        assert queue.count_waiting() == len(FINAL_STATES) - ended


def test_an_object_can_be_added_to_a_closed_job(queue: SqliteJobStore, owner: JobOwner) -> None:
    queue.close_job(owner.job_id, now_us=START)
    assert queue.add_object(owner.job_id, "1.jpg", now_us=START)
    assert claimed_sources(queue) == ["1.jpg"]


def test_no_object_can_be_added_to_ended_and_unknown_jobs(
    queue: SqliteJobStore, owner: JobOwner
) -> None:
    assert not queue.add_object("job_unknown", "1.jpg", now_us=START)
    queue.cancel_job(owner.job_id, now_us=START)
    assert not queue.add_object(owner.job_id, "1.jpg", now_us=START)
    assert queue.find_job(owner.job_id).counts.received == 0


def test_objects_are_claimed_oldest_first_and_once(queue: SqliteJobStore, owner: JobOwner) -> None:
    for seconds, source in ((3, "third"), (1, "first"), (2, "second")):
        queue.add_object(owner.job_id, source, now_us=after(seconds))
    assert claimed_sources(queue, after(4)) == ["first", "second", "third"]


def test_an_object_whose_lease_ended_is_claimed_again_as_the_next_attempt(
    queue: SqliteJobStore, owner: JobOwner
) -> None:
    queue.add_object(owner.job_id, "1.jpg", now_us=START)
    first = claim(queue)
    assert first is not None
    assert (first.state, first.attempts) == (ObjectState.WAITING, 1)
    assert claim(queue, after(LEASE_S - 0.001)) is None
    second = claim(queue, after(LEASE_S))
    assert second is not None
    assert second.attempts == 2
    assert queue.count_waiting() == 1


def test_a_released_object_is_claimed_again_at_its_retry_time(
    queue: SqliteJobStore, owner: JobOwner
) -> None:
    queue.add_object(owner.job_id, "1.jpg", now_us=START)
    first = claim(queue)
    assert first is not None
    queue.release_object(first, retry_us=after(5))
    assert claim(queue, after(4.9)) is None
    second = claim(queue, after(5))
    assert second is not None
    queue.release_object(first, retry_us=START)  # the first worker writes late
    assert claim(queue, after(6)) is None


def test_a_lease_from_before_the_clock_was_set_back_ends_immediately(
    queue: SqliteJobStore, owner: JobOwner
) -> None:
    """The server with the lease was killed, so the lease would last until the old time."""
    queue.add_object(owner.job_id, "a", now_us=START)
    day_s = 86_400
    assert claim(queue, after(day_s))
    claimed = claim(queue, START)
    assert claimed is not None
    assert claimed.attempts == 2
    assert claim(queue, after(LEASE_S - 1)) is None
    queue.release_object(claimed, retry_us=after(day_s))
    assert claim(queue, after(LEASE_S)) is not None


def test_workers_that_read_the_clock_before_others_do_not_claim_the_same_object(
    queue: SqliteJobStore, owner: JobOwner
) -> None:
    """Workers wait for the file in any order, and each claim counts as an attempt."""
    for source in "abc":
        queue.add_object(owner.job_id, source, now_us=START)
    claimed = [claim(queue, after(10 - number / 2)) for number in range(4)]
    assert claimed[3] is None
    assert sorted(each.source for each in claimed if each) == ["a", "b", "c"]


def test_an_object_that_has_ended_is_not_claimed(
    accounts: SqliteAccountStore, queue: SqliteJobStore, owner: JobOwner
) -> None:
    queue.add_object(owner.job_id, "1.jpg", now_us=START)
    claimed = claim(queue)
    assert claimed is not None
    assert process(queue, owner, "1.jpg")
    queue.release_object(claimed, retry_us=START)
    assert claim(queue, after(2 * LEASE_S)) is None
    row = queue.find_object(owner.job_id, object_id("1.jpg"))
    assert row is not None
    assert (row.state, row.attempts) == (ObjectState.DONE, 1)
    require_exact(accounts, queue, owner, after(1))


def test_a_parked_object_keeps_its_number_of_attempts_and_is_claimed_when_its_job_goes_on(
    queue: SqliteJobStore, owner: JobOwner
) -> None:
    for seconds, source in enumerate(("running.jpg", "1.jpg")):
        queue.add_object(owner.job_id, source, now_us=after(seconds - 9))
        assert claim(queue)
    assert queue.park_object(owner.job_id, "1.jpg", now_us=START)
    queue.set_paused(owner.job_id, is_paused=True)
    assert claim(queue) is None
    assert queue.count_waiting() == 0
    queue.set_paused(owner.job_id, is_paused=False)
    again = claim(queue)
    assert again is not None
    assert (again.source, again.attempts) == ("1.jpg", 1)


def test_objects_of_cancelled_jobs_are_not_claimed(queue: SqliteJobStore, owner: JobOwner) -> None:
    queue.add_object(owner.job_id, "1.jpg", now_us=START)
    queue.cancel_job(owner.job_id, now_us=START)
    assert claim(queue) is None
    assert queue.count_waiting() == 0


def test_an_account_with_many_objects_does_not_delay_a_new_account(
    accounts: SqliteAccountStore, queue: SqliteJobStore, owner: JobOwner
) -> None:
    second = new_job(owner.customer, created_us=after(1))
    queue.create_job(second)
    for number in range(4):
        queue.add_object(owner.job_id, f"a{number}", now_us=after(number))
        queue.add_object(second.job_id, f"b{number}", now_us=after(number))
    assert [claim(queue, after(9)) for _ in range(2)]
    late = open_job(accounts, queue)
    for number in range(2):
        queue.add_object(late.job_id, f"late{number}", now_us=after(7 + number))
    sources = claimed_sources(queue, after(9))
    assert sources == ["late0", "a2", "late1", "a3", "b0", "b1", "b2", "b3"]


def test_threads_claim_each_object_once(queue: SqliteJobStore, owner: JobOwner, path: Path) -> None:
    for number in range(60):
        queue.add_object(owner.job_id, f"{number}.jpg", now_us=START)

    def work(_: int) -> list[str]:
        with closing(SqliteJobStore(path)) as own:
            return claimed_sources(own)

    with ThreadPoolExecutor(6) as pool:
        sources = [source for sources in pool.map(work, range(6)) for source in sources]
    assert sorted(sources) == sorted(f"{number}.jpg" for number in range(60))


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


def test_a_new_job_deletes_an_expired_one_with_its_rows(
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
    """Otherwise the deletion would block the file for all calls for seconds."""
    monkeypatch.setattr("blur.jobs.sqlite.job_store.DELETED_BY_JOB", 3)
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


def test_an_expired_job_takes_no_object(queue: SqliteJobStore, owner: JobOwner) -> None:
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
    """  # noqa: S608 - a constant
    with closing(sqlite3.connect(path)) as file:
        file.execute(copies)
        file.commit()
    assert queue.add_object(owner.job_id, "a", now_us=START)
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    with queue._file.transaction() as db:  # noqa: SLF001 - to count the steps of SQLite
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


def test_a_file_of_an_earlier_version_gets_the_tables_of_jobs(
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

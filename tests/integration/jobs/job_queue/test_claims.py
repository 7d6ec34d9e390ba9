"""Objects wait in the queue; only one worker at a time can claim an object."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from tests.integration.accounts.customer import START, after
from tests.integration.jobs.job_owner import (
    FINAL_STATES,
    JobOwner,
    new_job,
    open_job,
    process,
    require_exact,
)
from tests.integration.jobs.job_queue.conftest import LEASE_S, claim, claimed_sources

from blur.jobs.model import JobCounts, ObjectState, object_id
from blur.jobs.sqlite.job_store import SqliteJobStore

if TYPE_CHECKING:
    from pathlib import Path

    from blur.accounts.sqlite.account_store import SqliteAccountStore


def test_an_object_that_is_added_again_is_counted_once(
    queue: SqliteJobStore, owner: JobOwner
) -> None:
    assert queue.add_object(owner.job_id, "1.jpg", now_us=START)
    assert not queue.add_object(owner.job_id, "1.jpg", now_us=after(1))
    assert queue.find_job(owner.job_id).counts == JobCounts(received=1)
    assert queue.count_waiting() == 1
    assert process(queue, owner, "1.jpg")
    assert not queue.add_object(owner.job_id, "1.jpg", now_us=after(2))
    assert queue.find_job(owner.job_id).counts.received == 1
    assert queue.count_waiting() == 0


def test_an_object_counts_as_waiting_until_its_state_is_done_or_failed_or_cancelled(
    queue: SqliteJobStore, owner: JobOwner
) -> None:
    for waiting, state in enumerate(FINAL_STATES):
        assert queue.add_object(owner.job_id, f"{state}.jpg", now_us=START)
        assert queue.count_waiting() == waiting + 1
    for ended, state in enumerate(FINAL_STATES, start=1):
        assert queue.end_object(owner.row(f"{state}.jpg", state), None, now_us=START)
        assert queue.count_waiting() == len(FINAL_STATES) - ended


def test_an_object_can_be_added_to_a_closed_job(queue: SqliteJobStore, owner: JobOwner) -> None:
    """The upload of the photo might have started before the job was closed."""
    queue.close_job(owner.job_id, now_us=START)
    assert queue.add_object(owner.job_id, "1.jpg", now_us=START)
    assert claimed_sources(queue) == ["1.jpg"]


def test_no_object_can_be_added_to_a_cancelled_or_unknown_job(
    queue: SqliteJobStore, owner: JobOwner
) -> None:
    assert not queue.add_object("job_unknown", "1.jpg", now_us=START)
    queue.cancel_job(owner.job_id, now_us=START)
    assert not queue.add_object(owner.job_id, "1.jpg", now_us=START)
    assert queue.find_job(owner.job_id).counts.received == 0


def test_each_object_is_claimed_once_from_the_oldest_to_the_newest(
    queue: SqliteJobStore, owner: JobOwner
) -> None:
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
    queue.release_object(first, retry_us=START)  # too late: the second worker has the lease
    assert claim(queue, after(6)) is None


def test_if_the_clock_is_set_back_to_a_time_before_a_lease_began_the_lease_ends_immediately(
    queue: SqliteJobStore, owner: JobOwner
) -> None:
    """Otherwise a killed server's lease would last until the clock shows the old time again."""
    queue.add_object(owner.job_id, "a", now_us=START)
    day_s = 86_400
    assert claim(queue, after(day_s))
    claimed = claim(queue, START)
    assert claimed is not None
    assert claimed.attempts == 2
    assert claim(queue, after(LEASE_S - 1)) is None
    queue.release_object(claimed, retry_us=after(day_s))
    assert claim(queue, after(LEASE_S)) is not None


def test_a_worker_whose_time_is_earlier_does_not_claim_an_object_that_is_already_claimed(
    queue: SqliteJobStore, owner: JobOwner
) -> None:
    """Workers get the file's lock in any order, so a later claim can have an earlier time.

    A second claim of the same object would count as another attempt.
    """
    for source in "abc":
        queue.add_object(owner.job_id, source, now_us=START)
    claimed = [claim(queue, after(10 - number / 2)) for number in range(4)]
    assert claimed[3] is None
    assert sorted(each.source for each in claimed if each) == ["a", "b", "c"]


def test_an_object_with_a_final_state_is_not_claimed(
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


def test_a_parked_object_keeps_its_number_of_attempts_and_is_claimed_when_its_job_resumes(
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


def test_an_account_with_many_objects_does_not_delay_the_objects_of_a_new_account(
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

"""Many threads and processes write the same rows; no object gets two rows or two charges."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.accounts.customer import START, after, entry
from tests.integration.accounts.spending import now, with_retries
from tests.integration.jobs.delivering import LONG_US, deliver_in_threads, process_all
from tests.integration.jobs.job_owner import (
    PRICE,
    JobOwner,
    open_job,
    process,
    require_exact,
    rows_of,
)

from blur.accounts.audit import audit_account
from blur.accounts.connect import open_account_store
from blur.accounts.model import Instant, usage_month
from blur.accounts.usage import bill_lines
from blur.credits import Credits
from blur.errors import InsufficientCreditsError
from blur.jobs.connect import open_job_store
from blur.jobs.model import JobState, ObjectState
from blur.jobs.sqlite.job_store import SqliteJobStore

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

    from blur.accounts.ports import AccountStore
    from blur.jobs.ports import JobStore

OBJECTS = 40
PROCESSES = 2
THREADS = 4
SOURCES = [f"{number}.jpg" for number in range(OBJECTS)]


def require_bill(store: AccountStore, jobs: JobStore, owner: JobOwner, now_us: Instant) -> None:
    """Require that the audit finds no difference, and that the key's usage matches the rows."""
    account = require_exact(store, jobs, owner, now_us)
    assert account.held == 0
    assert audit_account(store, account.account_id, now_us=now_us).differences == ()
    rows = list(rows_of(jobs, owner.job_id))
    done = [row for row in rows if row.state is ObjectState.DONE]
    assert {row.charged for row in rows if row not in done} <= {0}
    month = usage_month(now_us)
    (usage,) = [
        each
        for each in store.list_usage(month, now_us=now_us)
        if each.account_id == account.account_id
    ]
    list(bill_lines(usage))
    (key,) = usage.keys
    charged = [row for row in done if row.charged]
    assert (key.counts.calls, key.counts.credits) == (len(charged), account.used)
    assert key.counts.pixels == sum(row.pixels for row in charged)


def test_objects_delivered_to_workers_of_two_processes_each_have_one_row_and_one_charge(
    store: AccountStore, jobs: JobStore, location: str, processes: ProcessPoolExecutor
) -> None:
    owner = open_job(store, jobs, PRICE * OBJECTS)
    workers = [
        processes.submit(deliver_in_threads, location, owner, SOURCES, THREADS, seed)
        for seed in range(PROCESSES)
    ]
    written = sum(worker.result() for worker in workers)
    # Some objects have no row yet, because all their workers were killed.
    for source in SOURCES:
        written += process(jobs, owner, source, now_us=now())
    assert written == OBJECTS
    assert {row.source for row in rows_of(jobs, owner.job_id)} == set(SOURCES)
    jobs.close_job(owner.job_id, now_us=now())
    assert jobs.end_job(owner.job_id, received=OBJECTS, now_us=now())
    job = jobs.find_job(owner.job_id)
    assert (job.state, job.counts.received, job.counts.ended) == (JobState.DONE, OBJECTS, OBJECTS)
    require_bill(store, jobs, owner, Instant(now() + 2 * LONG_US))


def test_workers_of_two_processes_empty_a_queue_and_write_one_final_row_for_each_object(
    tmp_path: Path, processes: ProcessPoolExecutor
) -> None:
    location = f"sqlite:{tmp_path / 'accounts.db'}"
    store, queue = open_account_store(location), SqliteJobStore(tmp_path / "accounts.db")
    owner = open_job(store, queue, PRICE * OBJECTS)
    for source in SOURCES:
        assert queue.add_object(owner.job_id, source, now_us=now())
    workers = [
        processes.submit(process_all, tmp_path / "accounts.db", owner, seed)
        for seed in range(PROCESSES)
    ]
    assert sum(worker.result() for worker in workers) == OBJECTS
    assert queue.count_waiting() == 0
    queue.close_job(owner.job_id, now_us=now())
    assert queue.end_job(owner.job_id, received=OBJECTS, now_us=now())
    require_bill(store, queue, owner, Instant(now() + 2 * LONG_US))
    queue.close()
    store.close()


def test_only_one_of_many_threads_writes_the_final_row_of_an_object(
    store: AccountStore, jobs: JobStore
) -> None:
    owner = open_job(store, jobs)
    for source in SOURCES[:5]:
        hold = owner.hold(source)
        jobs.reserve_object(hold, now_us=START)
        ends = [
            partial(jobs.end_object, owner.row(source, state), hold, now_us=after(1))
            for state in (ObjectState.DONE, ObjectState.FAILED, ObjectState.CANCELLED)
            for _ in range(4)
        ]
        with ThreadPoolExecutor(len(ends)) as pool:
            assert sum(pool.map(with_retries, ends)) == 1
    account = require_exact(store, jobs, owner, after(1))
    assert account.held == 0


def test_if_many_threads_reserve_credits_for_one_object_there_is_one_hold(
    store: AccountStore, jobs: JobStore
) -> None:
    owner = open_job(store, jobs)
    reserves = [
        partial(
            jobs.reserve_object, owner.hold("1.jpg", now_us=after(number)), now_us=after(number)
        )
        for number in range(12)
    ]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(with_retries, reserves))
    account = store.read_account(owner.customer.account_id, now_us=after(60 + 4))
    # The hold has the latest of the twelve expiry times.
    assert (account.balance, account.held) == (100 - PRICE, PRICE)
    account = store.read_account(owner.customer.account_id, now_us=after(60 + 11 + 6))
    assert (account.balance, account.held) == (100, 0)


def test_if_the_balance_pays_for_only_some_objects_the_threads_charge_exactly_the_balance(
    store: AccountStore, jobs: JobStore
) -> None:
    owner = open_job(store, jobs, PRICE * 10)

    def deliver(source: str) -> bool:
        hold = owner.hold(source, now_us=now(), ttl_us=LONG_US)
        try:
            with_retries(partial(jobs.reserve_object, hold, now_us=now()))
        except InsufficientCreditsError:
            with_retries(partial(jobs.park_object, owner.job_id, source, now_us=now()))
            return False
        end = partial(jobs.end_object, owner.row(source), hold, now_us=now())
        return with_retries(end)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(deliver, SOURCES)) == 10
    assert jobs.find_job(owner.job_id).counts.received == OBJECTS
    store.append_entry(entry(owner.customer.account_id, PRICE * (OBJECTS - 10)))
    page = jobs.list_objects(owner.job_id, states=[ObjectState.WAITING], limit=OBJECTS)
    assert len(page.objects) == OBJECTS - 10
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(deliver, [row.source for row in page.objects])) == OBJECTS - 10
    counts = jobs.find_job(owner.job_id).counts
    assert (counts.received, counts.done) == (OBJECTS, OBJECTS)
    assert counts.charged == Credits(PRICE * OBJECTS)
    require_bill(store, jobs, owner, now())


def test_no_row_is_lost_if_a_job_ends_while_the_rows_of_its_last_photos_are_written(
    store: AccountStore, jobs: JobStore, location: str
) -> None:
    owner, keeper = open_job(store, jobs), open_job_store(location)
    jobs.close_job(owner.job_id, now_us=START)

    def end() -> bool:
        return keeper.end_job(owner.job_id, received=12, now_us=after(2))

    def work(source: str) -> None:
        with_retries(partial(process, jobs, owner, source))

    with ThreadPoolExecutor(8) as pool:
        working = [pool.submit(work, source) for source in SOURCES[:12]]
        endings = [pool.submit(with_retries, end) for _ in range(24)]
        for worker in working:
            worker.result()
        for ending in endings:
            ending.result()
    keeper.end_job(owner.job_id, received=12, now_us=after(3))
    job = jobs.find_job(owner.job_id)
    assert (job.state, job.counts.received, job.counts.done) == (JobState.DONE, 12, 12)
    keeper.close()
    require_exact(store, jobs, owner, after(3))

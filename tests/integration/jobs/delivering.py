"""Workers that process the objects of one job at the same time, in threads and processes.

A queue can deliver an object several times, to workers that run at the same moment. A network can
deliver a write twice, and the second time late. Some workers are killed between their writes.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from tests.integration.accounts.spending import now, with_retries

from blur.jobs.connect import open_job_store
from blur.jobs.model import ObjectState, object_id
from blur.jobs.sqlite.job_store import SqliteJobStore

if TYPE_CHECKING:
    from tests.integration.jobs.job_owner import JobOwner

    from blur.jobs.ports import JobStore

DEATHS = 0.15
"""The share of attempts that end because the worker is killed after it has reserved the price."""
COPIES = 0.3
"""The share of writes that are delivered twice, and the share of writes that are repeated late."""
STATES = (ObjectState.DONE, ObjectState.DONE, ObjectState.FAILED, ObjectState.CANCELLED)
LONG_US = 600_000_000
"""The lifetime of a hold, which is longer than any test."""


def deliver(
    jobs: JobStore, owner: JobOwner, source: str, random: Random, sent: list[Callable[[], object]]
) -> bool:
    """Process an object once; return whether this delivery wrote the object's final row."""
    known = with_retries(partial(jobs.find_object, owner.job_id, object_id(source)))
    if known and known.state.has_ended and random.random() > COPIES:
        return False
    hold = owner.hold(source, now_us=now(), ttl_us=LONG_US)
    reserve = partial(jobs.reserve_object, hold, now_us=now())
    _send(reserve, random, sent)
    if random.random() < DEATHS:
        return False
    row = owner.row(source, random.choice(STATES))
    end = partial(jobs.end_object, row, hold, now_us=now())
    return bool(_send(end, random, sent))


def deliver_in_threads(
    location: str, owner: JobOwner, sources: list[str], threads: int, seed: int
) -> int:
    """Deliver all objects to each thread, in random order; return the number of new final rows."""

    def work(number: int) -> int:
        random, sent = Random(seed * threads + number), list[Callable[[], object]]()
        shuffled = random.sample(sources, len(sources))
        return sum(deliver(jobs, owner, source, random, sent) for source in shuffled)

    with closing(open_job_store(location)) as jobs, ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(work, range(threads)))


def process_all(path: Path, owner: JobOwner, seed: int) -> int:
    """Claim and process objects until the SQLite queue is empty; return the number of new rows.

    In these tests, the lease of a killed worker ends immediately.
    """
    random, written = Random(seed), 0
    with closing(SqliteJobStore(path)) as queue:
        while True:
            claimed = with_retries(partial(queue.claim_object, now_us=now(), lease_s=0))
            if claimed is None:
                return written
            written += deliver(queue, owner, claimed.source, random, [])


def _send(write: Callable[[], object], random: Random, sent: list[Callable[[], object]]) -> object:
    """Deliver a write and return its result; sometimes repeat this write or an earlier write."""
    result = with_retries(write)
    sent.append(write)
    if random.random() < COPIES:
        with_retries(write)
    if random.random() < COPIES:
        with_retries(random.choice(sent[-6:]))
    return result

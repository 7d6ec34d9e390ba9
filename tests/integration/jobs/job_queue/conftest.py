"""Fixtures: the queue of the embedded server, in a file with one account and one job."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import START
from tests.integration.jobs.job_owner import JobOwner, open_job

from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.jobs.sqlite.job_store import SqliteJobStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blur.accounts.model import Instant
    from blur.jobs.model import JobObject

LEASE_S = 60


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
    """Claim objects until none is left; return the sources of the claimed objects."""
    sources = []
    while claimed := claim(queue, now_us):
        sources.append(claimed.source)
    return sources

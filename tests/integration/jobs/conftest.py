"""The stores of jobs and accounts under test; tests run once against each store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integration.jobs.job_owner import JobOwner, open_job

from blur.jobs.connect import open_job_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from blur.accounts.ports import AccountStore
    from blur.jobs.ports import JobStore


@pytest.fixture
def jobs(location: str) -> Iterator[JobStore]:
    """Return the store of jobs that belongs to `store`."""
    opened = open_job_store(location)
    yield opened
    opened.close()


@pytest.fixture
def owner(store: AccountStore, jobs: JobStore) -> JobOwner:
    """Return an account of 100 quarters with an open job."""
    return open_job(store, jobs)

"""The stores of jobs and accounts: a test runs once with SQLite and once with DynamoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integration.jobs.job_owner import JobOwner, open_job

from blur.jobs.connect import open_job_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from blur.accounts.ports import AccountStore
    from blur.jobs.ports import JobStore


@pytest.fixture
def jobs(location: str) -> Iterator[JobStore]:
    """Yield the store of jobs in the same database as `store`."""
    opened = open_job_store(location)
    yield opened
    opened.close()


@pytest.fixture
def owner(store: AccountStore, jobs: JobStore) -> JobOwner:
    """Return an account with 100 quarters of a credit and an open job."""
    return open_job(store, jobs)


@pytest.fixture(scope="session")
def counting_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a neural network for tests that only count photos and credits.

    Inferences of the real network would take most of the CPU time of these tests.
    """
    from tests.integration.jobs.disc_model import write_disc_model  # noqa: PLC0415 - loads onnx, which few tests need

    return write_disc_model(tmp_path_factory.mktemp("disc"))

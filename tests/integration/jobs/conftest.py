"""The stores of jobs and accounts: a test runs once with SQLite and once with DynamoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.integration.jobs.job_owner import JobOwner, open_job

from blur.jobs.connect import open_job_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.accounts.dynamodb_local import DynamoDBLocal
    from tests.integration.jobs.aws_engine import Engine

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
def engine(
    tmp_path_factory: pytest.TempPathFactory,
    dynamodb: DynamoDBLocal,
    model_dir: Path,
    worker_id: str,
) -> Iterator[Engine]:
    """Yield the deployed stack, with a separate table: its keeper reads all jobs of a table."""
    from tests.integration.jobs.aws_engine import aws_engine  # noqa: PLC0415 - only tests with this fixture need this import

    folder, table = tmp_path_factory.mktemp("ministack"), f"jobs-on-aws-{worker_id}"
    with aws_engine(folder, dynamodb, dynamodb.create_table(table), model_dir) as started:
        yield started

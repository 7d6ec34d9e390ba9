"""The stack of the template, deployed to emulated AWS services."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.aws.aws_engine import Engine, aws_engine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.accounts.dynamodb_local import DynamoDBLocal


@pytest.fixture(autouse=True)
def long_timeouts_for_all(long_timeouts: None) -> None:
    """Use longer time limits in all tests on emulated AWS; `tests/faults` tests the real limits."""


@pytest.fixture(scope="session")
def engine(
    tmp_path_factory: pytest.TempPathFactory,
    dynamodb: DynamoDBLocal,
    model_dir: Path,
    worker_id: str,
) -> Iterator[Engine]:
    """Yield the deployed stack, with a separate table: its keeper reads all jobs of a table."""
    folder, table = tmp_path_factory.mktemp("ministack"), f"jobs-on-aws-{worker_id}"
    with aws_engine(folder, dynamodb, dynamodb.create_table(table), model_dir) as started:
        yield started

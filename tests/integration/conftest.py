"""Settings for all integration tests."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from secrets import token_hex
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.accounts.dynamodb_local import DynamoDBLocal


@pytest.fixture(autouse=True)
def long_timeouts_for_all(long_timeouts: None) -> None:
    """Use longer time limits in all integration tests; `tests/faults` tests the real limits."""


@pytest.fixture(scope="module")
def dynamodb_table(dynamodb: DynamoDBLocal) -> str:
    """Create one table for each file of tests.

    Some tests list everything in the table, which takes a long time in a table with the
    accounts and jobs of all tests.
    """
    return dynamodb.create_table(f"accounts-{token_hex(8)}")


@pytest.fixture(scope="module")
def processes(dynamodb: DynamoDBLocal) -> Iterator[ProcessPoolExecutor]:
    """Return a pool of two processes for all tests of a file: a start takes a second of CPU time.

    The processes start with the environment variables of DynamoDB's clients.
    """
    assert dynamodb.endpoint_url
    # Spawn the processes: a process that is forked from a process with threads can hang.
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        yield pool

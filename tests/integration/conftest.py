"""Settings for all integration tests."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
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

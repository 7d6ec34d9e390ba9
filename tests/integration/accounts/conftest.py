"""The stores under test. Each test that asks for `store` runs once against each of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.integration.accounts.customer import MakeAccount, open_account
from tests.integration.accounts.dynamodb_local import DynamoDBLocal, dynamodb_local

from blur.accounts.connect import connect

if TYPE_CHECKING:
    from blur.accounts.store import AccountStore


@pytest.fixture(scope="session")
def dynamodb() -> Iterator[DynamoDBLocal]:
    """A server for the whole run, which the environment names for boto's clients."""
    with dynamodb_local() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environ.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture(scope="session")
def dynamodb_table(dynamodb: DynamoDBLocal) -> str:
    """One table for all tests, for making one takes long; each test has accounts of its own."""
    return dynamodb.create_table("accounts")


@pytest.fixture(params=["sqlite", "dynamodb"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the accounts live, as the setting names it; other processes can open it too."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'accounts.db'}"
    return f"dynamodb:{request.getfixturevalue('dynamodb_table')}"


@pytest.fixture
def store(location: str) -> Iterator[AccountStore]:
    opened = connect(location)
    yield opened
    opened.close()


@pytest.fixture
def make_account(store: AccountStore) -> MakeAccount:
    return partial(open_account, store)

"""The setting for the location of the accounts selects the store: SQLite or DynamoDB."""

from __future__ import annotations

from pathlib import Path

import pytest

from blur.accounts.connect import open_account_store
from blur.accounts.dynamo.account_store import DynamoAccountStore
from blur.accounts.keys import new_account_id
from blur.accounts.model import Instant
from blur.accounts.sqlite.account_store import SqliteAccountStore


def test_the_path_of_a_sqlite_location_can_have_colons(tmp_path: Path) -> None:
    path = tmp_path / "a:b" / "accounts.db"
    store = open_account_store(f"sqlite:{path}")
    assert isinstance(store, SqliteAccountStore)
    store.create_account(new_account_id(bytes), "A customer", now_us=Instant(0))
    store.close()
    assert path.is_file()


def test_a_dynamodb_location_opens_a_store_although_the_table_does_not_exist(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    store = open_account_store("dynamodb:accounts")
    assert isinstance(store, DynamoAccountStore)
    store.close()


@pytest.mark.parametrize(
    "location", ["", "sqlite", "sqlite:", "dynamodb:", "postgres:accounts", "accounts.db", ":x"]
)
def test_the_error_for_an_invalid_location_quotes_the_location(location: str) -> None:
    with pytest.raises(ValueError, match=f"'{location}' is neither sqlite:<path> nor dynamodb:"):
        open_account_store(location)

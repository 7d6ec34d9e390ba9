"""The setting `BLUR_ACCOUNTS` selects the database of jobs: SQLite or DynamoDB."""

from __future__ import annotations

from pathlib import Path

import pytest

from blur.jobs.connect import open_job_store
from blur.jobs.dynamo.job_store import DynamoJobStore
from blur.jobs.sqlite.job_store import SqliteJobStore


def test_the_path_of_a_sqlite_location_can_have_colons(tmp_path: Path) -> None:
    path = tmp_path / "a:b" / "accounts.db"
    store = open_job_store(f"sqlite:{path}")
    assert isinstance(store, SqliteJobStore)
    assert list(store.list_active()) == []
    store.close()
    assert path.is_file()


def test_a_dynamodb_location_opens_a_store_although_the_table_does_not_exist(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    store = open_job_store("dynamodb:accounts")
    assert isinstance(store, DynamoJobStore)
    store.close()


@pytest.mark.parametrize("location", ["", "sqlite", "sqlite:", "dynamodb:", "postgres:x", ":x"])
def test_the_error_for_an_invalid_location_quotes_the_location(location: str) -> None:
    with pytest.raises(ValueError, match=f"'{location}' is neither sqlite:<path> nor dynamodb:"):
        open_job_store(location)

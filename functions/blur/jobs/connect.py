"""Opens the store of jobs that a location names: the table or file of the accounts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from blur.accounts.connect import split_location

if TYPE_CHECKING:
    from blur.jobs.ports import JobStore


def open_job_store(location: str) -> JobStore:
    """Open `sqlite:<path>` or `dynamodb:<table>`; only the store that is needed is imported.

    Raises:
        ValueError: the location has another scheme, or no name.

    """
    scheme, name = split_location(location)
    if scheme == "sqlite":
        from blur.jobs.sqlite.job_store import SqliteJobStore  # noqa: PLC0415 - see the docstring

        return SqliteJobStore(Path(name))
    from blur.accounts.dynamo.client import open_client  # noqa: PLC0415 - see the docstring
    from blur.jobs.dynamo.job_store import DynamoJobStore  # noqa: PLC0415 - see the docstring

    return DynamoJobStore(name, open_client())

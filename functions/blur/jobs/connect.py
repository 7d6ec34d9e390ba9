"""Opens the store of jobs, which is in the same table or file as the accounts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from blur.accounts.connect import split_location

if TYPE_CHECKING:
    from blur.jobs.ports import JobStore


def open_job_store(location: str) -> JobStore:
    """Return the store at the location `sqlite:<path>` or `dynamodb:<table>`.

    Only the store in use is imported, because importing boto takes time.

    Raises:
        ValueError: the location has another scheme, it has no path or table, or the environment
        has no AWS region.

    """
    scheme, name = split_location(location)
    if scheme == "sqlite":
        from blur.jobs.sqlite.job_store import SqliteJobStore  # noqa: PLC0415 - only the module in use is imported

        return SqliteJobStore(Path(name))
    from blur.accounts.dynamo.client import open_client  # noqa: PLC0415 - only the module in use is imported
    from blur.jobs.dynamo.job_store import DynamoJobStore  # noqa: PLC0415 - only the module in use is imported

    return DynamoJobStore(name, open_client())

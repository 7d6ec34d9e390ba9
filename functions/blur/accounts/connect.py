"""Opens the account store at a location such as `sqlite:<path>` or `dynamodb:<table>`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore


def open_account_store(location: str, *, timeout_factor: float = 1) -> AccountStore:
    """Return the store at the location `sqlite:<path>` or `dynamodb:<table>`.

    The time limits of requests to DynamoDB are multiplied by `timeout_factor`.

    Only the store in use is imported, because importing boto takes as long as opening the model.

    Raises:
        ValueError: the location has another scheme, it has no path or table, the path is not a
        database, or the environment has no AWS region.

    """
    scheme, name = split_location(location)
    if scheme == "sqlite":
        from blur.accounts.sqlite.account_store import SqliteAccountStore  # noqa: PLC0415 - only the module in use is imported
        from blur.accounts.sqlite.file import require_database  # noqa: PLC0415 - only the module in use is imported

        require_database(Path(name))
        return SqliteAccountStore(Path(name))
    from blur.accounts.dynamo.account_store import DynamoAccountStore  # noqa: PLC0415 - only the module in use is imported
    from blur.accounts.dynamo.client import open_client  # noqa: PLC0415 - only the module in use is imported

    return DynamoAccountStore(
        name, open_client(timeout_factor=timeout_factor), timeout_factor=timeout_factor
    )


def split_location(location: str) -> tuple[str, str]:
    """Return the scheme of a location, `sqlite` or `dynamodb`, and the path or table.

    Raises:
        ValueError: the location has another scheme, or it has no path or table.

    """
    scheme, _, name = location.partition(":")
    if scheme not in {"sqlite", "dynamodb"} or not name:
        message = f"{location!r} is neither sqlite:<path> nor dynamodb:<table>"
        raise ValueError(message)
    return scheme, name

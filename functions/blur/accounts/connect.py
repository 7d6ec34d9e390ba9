"""From a location to the store that is there; the one place that knows the schemes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blur.accounts.store import AccountStore


def connect(location: str) -> AccountStore:
    """Open `sqlite:<path>` or `dynamodb:<table>`.

    Only the module that is needed is imported: boto3 takes as long as the model.

    Raises:
        ValueError: the location has another scheme or nothing behind it.

    """
    scheme, _, name = location.partition(":")
    if name and scheme == "sqlite":
        from blur.accounts.sqlite.store import SqliteStore  # noqa: PLC0415 - see the docstring

        return SqliteStore(Path(name))
    if name and scheme == "dynamodb":
        from blur.accounts.dynamo.store import DynamoStore, open_client  # noqa: PLC0415 - as above

        return DynamoStore(name, open_client())
    message = f"{location!r} is neither sqlite:<path> nor dynamodb:<table>"
    raise ValueError(message)

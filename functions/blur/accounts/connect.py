"""Opens the account store at a location."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blur.accounts.ports import AccountStore


def open_account_store(location: str) -> AccountStore:
    """Open `sqlite:<path>` or `dynamodb:<table>`.

    Only the store in use is imported, because importing boto takes as long as opening the model.

    Raises:
        ValueError: the location has another scheme, or no name.

    """
    scheme, _, name = location.partition(":")
    if name and scheme == "sqlite":
        from blur.accounts.sqlite.account_store import SqliteAccountStore  # noqa: PLC0415 - see the docstring

        return SqliteAccountStore(Path(name))
    if name and scheme == "dynamodb":
        from blur.accounts.dynamo.account_store import DynamoAccountStore  # noqa: PLC0415 - as above
        from blur.accounts.dynamo.client import open_client  # noqa: PLC0415 - as above

        return DynamoAccountStore(name, open_client())
    message = f"{location!r} is neither sqlite:<path> nor dynamodb:<table>"
    raise ValueError(message)

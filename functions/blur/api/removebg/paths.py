"""The paths of remove.bg's routes."""

from __future__ import annotations

REMOVEBG_PATH = "/v1.0/removebg"
ACCOUNT_PATH = "/v1.0/account"
PATHS = frozenset({REMOVEBG_PATH, ACCOUNT_PATH})
PREFIX = "/v1.0/"
"""The start of all paths of remove.bg's API, including those that have no route here."""


def is_removebg(path: str) -> bool:
    """Return whether a path belongs to remove.bg's API, whose clients expect remove.bg's errors."""
    return path.startswith(PREFIX)


def key_header(path: str) -> str:
    """Return the name of the header that contains the API key in requests to this path."""
    return "X-Api-Key" if is_removebg(path) else "ApiKey"

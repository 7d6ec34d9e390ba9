"""The paths of remove.bg's routes."""

from __future__ import annotations

REMOVEBG_PATH = "/v1.0/removebg"
ACCOUNT_PATH = "/v1.0/account"
PATHS = frozenset({REMOVEBG_PATH, ACCOUNT_PATH})


def is_removebg(path: str) -> bool:
    """Return whether a path, with or without a last slash, is one of remove.bg's."""
    return path.rstrip("/") in PATHS


def key_header(path: str) -> str:
    """Return the name of the header with the API key on a path."""
    return "X-Api-Key" if is_removebg(path) else "ApiKey"

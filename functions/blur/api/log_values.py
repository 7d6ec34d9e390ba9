"""Values for the log: unknown methods become a fixed text, and tracebacks have a limited length."""

from __future__ import annotations

import traceback
from http import HTTPMethod

UNROUTED = "(no route)"
"""The log shows this text instead of a path that is not a route."""
METHODS = frozenset(method.value for method in HTTPMethod)
UNKNOWN_METHOD = "(unknown)"
MAX_LOGGED_CHARS = 8000
"""The maximum length of a logged traceback, because an exception's message can quote a long
request."""


def logged_method(method: str) -> str:
    """Return the method for the log, or a fixed text for an unknown method.

    An unknown method could contain a key by mistake.
    """
    return method if method in METHODS else UNKNOWN_METHOD


def logged_exception(error: BaseException) -> dict[str, str]:
    """Return an exception's name and the end of its traceback, for the log."""
    text = "".join(traceback.format_exception(error))
    return {"exception_name": type(error).__name__, "exception": text[-MAX_LOGGED_CHARS:]}

"""One line of JSON in the log for each answer that the front process makes by itself.

Workers and the inline handler write the same line for theirs (`blur.api.router`).
"""

from __future__ import annotations

import logging
import sys
from http import HTTPStatus

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from blur.api.router import UNROUTED, logged_method
from blur.app import NAME

LOGGER = logging.getLogger("bgblur.access")


def open_access_log() -> None:
    """Write the lines to standard output, where the handlers' lines go."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(LambdaPowertoolsFormatter(service=NAME))
    LOGGER.handlers = [handler]
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


def log_response(  # noqa: PLR0913 - the fields of a line
    *,
    request_id: str,
    status: int,
    method: str = "",
    path: str = UNROUTED,
    code: str | None = None,
    duration_ms: int = 0,
    is_quiet: bool = False,
) -> None:
    """Log one answer; `path` is one of the server's routes or `UNROUTED`."""
    fields = {
        "method": logged_method(method),
        "path": path,
        "status": status,
        "duration_ms": duration_ms,
        "request_id": f"req_{request_id}",
    }
    level = logging.DEBUG if is_quiet and status < HTTPStatus.BAD_REQUEST else logging.INFO
    LOGGER.log(level, "answered", extra=fields | ({"code": code} if code else {}))

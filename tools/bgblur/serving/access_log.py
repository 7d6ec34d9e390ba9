"""Log one line of JSON for each response of the front process itself.

Workers and the inline handler log their own responses in the same form (`blur.api.router`).
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
    """Write the lines to standard output, as the handlers do."""
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
    """Log one response; `path` is one of the server's routes or `UNROUTED`."""
    fields = {
        "method": logged_method(method),
        "path": path,
        "status": status,
        "duration_ms": duration_ms,
        "request_id": f"req_{request_id}",
    }
    level = logging.DEBUG if is_quiet and status < HTTPStatus.BAD_REQUEST else logging.INFO
    LOGGER.log(level, "answered", extra=fields | ({"code": code} if code else {}))

"""Log one line of JSON for each response that the front process itself makes.

Workers and the inline handler log their own responses in the same format (`blur.api.router`).
"""

from __future__ import annotations

import logging
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from blur.app import NAME

if TYPE_CHECKING:
    from blur.api.response_record import ResponseRecord

LOGGER = logging.getLogger("bgblur.access")


def open_access_log() -> None:
    """Write the lines to standard output, as the handlers do."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(LambdaPowertoolsFormatter(service=NAME))
    LOGGER.handlers = [handler]
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


def log_response(record: ResponseRecord, *, is_quiet: bool = False) -> None:
    """Log one response; with `is_quiet`, log it at the level DEBUG unless it is an error."""
    is_quiet = is_quiet and record.status < HTTPStatus.BAD_REQUEST
    LOGGER.log(logging.DEBUG if is_quiet else logging.INFO, "answered", extra=record.log_fields())

"""The errors that only the routes of bulk jobs have."""

from __future__ import annotations

from http import HTTPStatus

from blur.errors import ApiError
from blur.parameter_errors import InvalidParameterError

RETRY_AFTER_S = 60
"""The seconds to wait after `TooManyJobsError`; in this time, some jobs will probably end."""


class JobNotFoundError(ApiError):
    """This account has no job with this id, or the job has expired."""

    status, code = HTTPStatus.NOT_FOUND, "job_not_found"

    def __init__(self) -> None:
        """Use one message for all cases, so that a response never shows which jobs exist."""
        super().__init__("This account has no job with this id, or the job has expired.")


class ResultNotFoundError(ApiError):
    """The job has no result with this id, or the result has expired."""

    status, code = HTTPStatus.NOT_FOUND, "result_not_found"

    def __init__(self) -> None:
        """Set the message, which refers to the manifest, because the manifest lists all ids."""
        message = (
            "The job has no result with this id, or the result has expired. Use an id from the "
            "job's manifest."
        )
        super().__init__(message)


class InvalidNotifyError(InvalidParameterError):
    """`notify` is not a URL on the public internet, or this service sends no notifications."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_notify"


class TooManyJobsError(ApiError):
    """The account has too many jobs that have not ended."""

    status, code = HTTPStatus.TOO_MANY_REQUESTS, "too_many_jobs"

    def __init__(self) -> None:
        """Set the message, which asks the client to close or cancel jobs."""
        message = (
            "The account has too many jobs that have not ended. Close or cancel some of these jobs."
        )
        super().__init__(message, retry_after_s=RETRY_AFTER_S)


class JobClosedError(ApiError):
    """The job accepts no more photos: it is closed, cancelled or done."""

    status, code = HTTPStatus.CONFLICT, "job_closed"

    def __init__(self) -> None:
        """Set the message, which asks the client to create another job."""
        super().__init__("The job accepts no more photos. Create another job.")

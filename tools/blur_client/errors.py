"""The client's errors: a class for each error code of the API.

The classes have the same names as in the service. An error with another code is a plain `ApiError`
with that `code`.
"""

from __future__ import annotations


class BlurClientError(Exception):
    """The base class of this package's errors."""


class ConnectionFailedError(BlurClientError):
    """No complete response was received: no connection, a timeout, or a closed connection.

    The API might have handled the call. If the call is repeated with the same `idempotency_key`, it
    is charged at most once.
    """


class SourceChangedError(BlurClientError):
    """The file became shorter while it was being sent."""


class ApiError(BlurClientError):
    """The API, or a server in front of it, responded with an error.

    After a 5xx, or after an attempt without a response, the call might have been charged. If the
    call is repeated with the same `idempotency_key`, it is charged at most once.
    """

    code: str
    """The API's code for this error, such as `invalid_radius`."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int,
        request_id: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        """Store the error's fields; `retry_after_s` is None if the response does not have it."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.request_id = request_id
        self.retry_after_s = retry_after_s


class InvalidRequestError(ApiError):
    """The request is not a valid form or JSON document."""


class InvalidImageError(ApiError):
    """The file is not an image, is damaged, or has an unsupported format."""


class InvalidParameterError(ApiError):
    """A parameter is missing or invalid; each parameter has its own class."""


class InvalidRadiusError(InvalidParameterError):
    """`radius` is missing, not valid or out of range."""


class InvalidDepthError(InvalidParameterError):
    """`depth` has an unknown value."""


class InvalidSubjectError(InvalidParameterError):
    """`subject` has an unknown value, or the server has no neural network for people."""


class InvalidRoiError(InvalidParameterError):
    """`roi` is not four lengths, `x1 y1 x2 y2`."""


class RoiExceedsBoundsError(InvalidParameterError):
    """A corner of `roi` is outside the photo."""


class RoiRegionEmptyError(InvalidParameterError):
    """The region of `roi` is too small for a subject."""


class InvalidBlurError(InvalidParameterError):
    """`blur` has an unknown value."""


class InvalidModeError(InvalidParameterError):
    """`mode` has an unknown value."""


class InvalidFormatError(InvalidParameterError):
    """`format` has an unknown value, or the format cannot hold this image."""


class InvalidQualityError(InvalidParameterError):
    """`quality` is out of range."""


class InvalidContentTypeError(InvalidParameterError):
    """An upload's `content_type` is not supported."""


class InvalidBytesError(InvalidParameterError):
    """An upload's `bytes` is not a whole number of at least 1."""


class InvalidNotifyError(InvalidParameterError):
    """`notify` is not a public URL, or the service sends no notifications."""


class InvalidIdempotencyKeyError(ApiError):
    """The idempotency key is not 1 to 255 visible ASCII characters."""


class InvalidApiKeyError(ApiError):
    """The key is missing, malformed, unknown, revoked or expired."""


class InsufficientCreditsError(ApiError):
    """The balance does not cover this image."""


class NotFoundError(ApiError):
    """The route does not exist; check the client's URL."""


class UploadNotFoundError(ApiError):
    """The upload does not exist or has expired."""


class JobClosedError(ApiError):
    """The job is closed or cancelled, so no photo can be added."""


class JobNotFoundError(ApiError):
    """The account has no job with this id, or the job has expired."""


class TooManyJobsError(ApiError):
    """The account has too many jobs that have not ended."""


class ResultNotFoundError(ApiError):
    """The job has no result with this id, or the result has expired."""


class MethodNotAllowedError(ApiError):
    """The route does not support this method."""


class IdempotencyConflictError(ApiError):
    """The idempotency key was used with a different photo or different parameters."""


class IdempotencyInProgressError(ApiError):
    """The first call with this idempotency key is still running."""


class ImageTooLargeError(ApiError):
    """The photo has more pixels or more bytes than the service accepts."""


class NoSubjectError(ApiError):
    """No subject was found in the photo."""


class RateLimitError(ApiError):
    """The key's rate limit is exceeded."""


class InternalError(ApiError):
    """The service failed unexpectedly."""


class ResponseLostError(InternalError):
    """The service stopped before it sent the response, perhaps after it charged the call."""


class UnavailableError(ApiError):
    """The service is temporarily unavailable."""


class OverloadedError(ApiError):
    """The server's queue is full; the server did not process this request."""


class ForbiddenError(ApiError):
    """A firewall in front of the service rejected the request."""


class UnexpectedResponseError(ApiError):
    """The response is not from the API, but from a proxy, a bucket or another server."""


ERRORS: dict[str, type[ApiError]] = {
    "forbidden": ForbiddenError,
    "idempotency_conflict": IdempotencyConflictError,
    "idempotency_in_progress": IdempotencyInProgressError,
    "image_too_large": ImageTooLargeError,
    "insufficient_credits": InsufficientCreditsError,
    "internal_error": InternalError,
    "invalid_api_key": InvalidApiKeyError,
    "invalid_blur": InvalidBlurError,
    "invalid_bytes": InvalidBytesError,
    "invalid_content_type": InvalidContentTypeError,
    "invalid_depth": InvalidDepthError,
    "invalid_format": InvalidFormatError,
    "invalid_idempotency_key": InvalidIdempotencyKeyError,
    "invalid_image": InvalidImageError,
    "invalid_mode": InvalidModeError,
    "invalid_notify": InvalidNotifyError,
    "invalid_quality": InvalidQualityError,
    "invalid_radius": InvalidRadiusError,
    "invalid_request": InvalidRequestError,
    "invalid_roi": InvalidRoiError,
    "invalid_subject": InvalidSubjectError,
    "job_closed": JobClosedError,
    "job_not_found": JobNotFoundError,
    "method_not_allowed": MethodNotAllowedError,
    "no_subject": NoSubjectError,
    "not_found": NotFoundError,
    "overloaded": OverloadedError,
    "rate_limit_exceeded": RateLimitError,
    "result_not_found": ResultNotFoundError,
    "roi_exceeds_bounds": RoiExceedsBoundsError,
    "roi_region_empty": RoiRegionEmptyError,
    "temporarily_unavailable": UnavailableError,
    "too_many_jobs": TooManyJobsError,
    "upload_not_found": UploadNotFoundError,
}
"""The class for each `code`."""

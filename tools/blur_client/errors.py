"""What a call can end in: the contract's errors, a class for each code.

The classes have the names of the service's own; code that it may learn later arrives as a
plain `ApiError`, whose `code` tells.
"""

from __future__ import annotations


class BlurClientError(Exception):
    """Everything that this package raises of its own."""


class ConnectionFailedError(BlurClientError):
    """No whole answer came: no connection, a time-out, or one that broke off.

    Whether the call was carried out is not known. Repeating it with the same
    `idempotency_key` is charged once at the most.
    """


class SourceChangedError(BlurClientError):
    """The file became shorter while it was being sent."""


class ApiError(BlurClientError):
    """The service's answer is an error.

    After a 5xx, or a lost answer before this one, the call can have been carried out and charged.
    Repeating it with the same `idempotency_key` is charged once at the most.
    """

    code: str
    """The contract's name of what is wrong, such as `invalid_radius`."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int,
        request_id: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        """Keep what the answer says; `retry_after_s` where waiting helps."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.request_id = request_id
        self.retry_after_s = retry_after_s


class InvalidRequestError(ApiError):
    """The form is not what the contract asks for."""


class InvalidImageError(ApiError):
    """The file is no image, a broken one, or in a format that is not read."""


class InvalidParameterError(ApiError):
    """A parameter is missing or out of its range; each has a class below."""


class InvalidRadiusError(InvalidParameterError):
    """`radius` is out of range."""


class InvalidBlurError(InvalidParameterError):
    """`blur` is no blur of the service's."""


class InvalidModeError(InvalidParameterError):
    """`mode` is no mode of the service's."""


class InvalidFormatError(InvalidParameterError):
    """`format` is no format of the service's, or cannot hold this picture."""


class InvalidQualityError(InvalidParameterError):
    """`quality` is out of range."""


class InvalidContentTypeError(InvalidParameterError):
    """An upload's type is none that the service reads."""


class InvalidBytesError(InvalidParameterError):
    """An upload's size is no whole number of at least 1."""


class InvalidIdempotencyKeyError(ApiError):
    """The idempotency key is not 1 to 255 visible ASCII characters."""


class InvalidApiKeyError(ApiError):
    """The key is missing, malformed, unknown, revoked or expired."""


class InsufficientCreditsError(ApiError):
    """The balance does not cover this image."""


class NotFoundError(ApiError):
    """There is no such route; the client's URL may not be that of the API."""


class UploadNotFoundError(ApiError):
    """The upload is not there, or its time is over."""


class MethodNotAllowedError(ApiError):
    """The route takes other methods."""


class IdempotencyConflictError(ApiError):
    """The idempotency key was used with another image or other parameters."""


class IdempotencyInProgressError(ApiError):
    """The first call with this idempotency key still runs."""


class ImageTooLargeError(ApiError):
    """More pixels, or more bytes, than the service takes."""


class NoSubjectError(ApiError):
    """Nothing in the photo stands out from a background."""


class RateLimitError(ApiError):
    """Too many requests for now."""


class InternalError(ApiError):
    """Something broke inside the service."""


class UnavailableError(ApiError):
    """The service cannot do its work just now."""


class OverloadedError(ApiError):
    """The server has as many requests as it can take, and did not begin this one."""


class ForbiddenError(ApiError):
    """A firewall in front of the service refused the request."""


class UnexpectedAnswerError(ApiError):
    """The answer is none of the contract's: it is a proxy's, a bucket's, or another server's."""


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
    "invalid_format": InvalidFormatError,
    "invalid_idempotency_key": InvalidIdempotencyKeyError,
    "invalid_image": InvalidImageError,
    "invalid_mode": InvalidModeError,
    "invalid_quality": InvalidQualityError,
    "invalid_radius": InvalidRadiusError,
    "invalid_request": InvalidRequestError,
    "method_not_allowed": MethodNotAllowedError,
    "no_subject": NoSubjectError,
    "not_found": NotFoundError,
    "overloaded": OverloadedError,
    "rate_limit_exceeded": RateLimitError,
    "temporarily_unavailable": UnavailableError,
    "upload_not_found": UploadNotFoundError,
}
"""By the `code` of the answer."""

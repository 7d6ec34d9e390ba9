"""The one tree of errors a caller can be answered with.

Each class is one row of the contract: its HTTP status, its `code` and whether the client
may try again. They are raised anywhere and mapped to a response once, in `api.response`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blur.accounts.model import AccountStatus


class ApiError(Exception):
    """A call that ends in one of the contract's errors; nothing is charged but for `LostError`.

    `message` is shown to the client, so it never carries keys, paths or other internals.
    `standing` is where the key stands after the call, once the key is known to be good.
    """

    status: ClassVar[HTTPStatus]
    code: ClassVar[str]
    is_free: ClassVar[bool] = True
    """Whether it is certain that nothing was charged."""

    def __init__(self, message: str, *, retry_after_s: int | None = None) -> None:
        """Keep the message and, where waiting helps, the whole seconds to wait."""
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s
        self.standing: AccountStatus | None = None


class InvalidRequestError(ApiError):
    """The body is not the multipart form that the contract asks for."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_request"


class InvalidImageError(ApiError):
    """The file is no image, a broken one, or in a format that is not read."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_image"


class InvalidParameterError(ApiError):
    """A form field is missing or out of its range; each field has a class below."""


class InvalidRadiusError(InvalidParameterError):
    """`radius` is missing, no whole number, or out of range."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_radius"


class InvalidModeError(InvalidParameterError):
    """`mode` is none of the modes."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_mode"


class InvalidBlurError(InvalidParameterError):
    """`blur` is none of the kernels."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_blur"


class InvalidFormatError(InvalidParameterError):
    """`format` is none of the output formats, or one that cannot hold so large a picture."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_format"


class InvalidQualityError(InvalidParameterError):
    """`quality` is no whole number or out of range."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_quality"


class InvalidContentTypeError(InvalidParameterError):
    """`content_type` is missing or the media type of no format that is read."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_content_type"


class InvalidBytesError(InvalidParameterError):
    """`bytes` is missing or no whole number of at least 1."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_bytes"


class InvalidIdempotencyKeyError(ApiError):
    """The `Idempotency-Key` header is empty, too long or not visible ASCII."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_idempotency_key"


class InvalidApiKeyError(ApiError):
    """The key is missing, malformed, unknown, revoked or expired: answered all alike."""

    status, code = HTTPStatus.UNAUTHORIZED, "invalid_api_key"

    def __init__(self) -> None:
        """Say the same to everyone, so that no answer tells which keys exist."""
        super().__init__("The ApiKey header is missing or its key is not valid.")


class InsufficientCreditsError(ApiError):
    """The key is valid but its account's balance does not cover this image."""

    status, code = HTTPStatus.PAYMENT_REQUIRED, "insufficient_credits"


def insufficient_credits(price: int, status: AccountStatus) -> InsufficientCreditsError:
    """Return the error for a balance, `status.credits_left`, below `price`."""
    message = f"This call costs {price} credits; the account has {status.credits_left} left."
    error = InsufficientCreditsError(message)
    error.standing = status
    return error


class NotFoundError(ApiError):
    """There is no such route."""

    status, code = HTTPStatus.NOT_FOUND, "not_found"


class UploadNotFoundError(ApiError):
    """Nothing was uploaded under this id, it is gone, or it is another key's."""

    status, code = HTTPStatus.NOT_FOUND, "upload_not_found"

    def __init__(self) -> None:
        """Say the same to everyone, so that no answer tells which uploads exist."""
        super().__init__("There is no such upload of this key, or its time is over.")


class MethodNotAllowedError(ApiError):
    """The route exists, but not for this method."""

    status, code = HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed"

    def __init__(self, message: str, *, allowed: Sequence[str]) -> None:
        """Keep the methods that the route has, for the `Allow` header (RFC 9110, 10.2.1)."""
        super().__init__(message)
        self.allowed = tuple(allowed)


class IdempotencyConflictError(ApiError):
    """The `Idempotency-Key` was used before, with another image or other parameters."""

    status, code = HTTPStatus.CONFLICT, "idempotency_conflict"


class IdempotencyInProgressError(ApiError):
    """The first call with this `Idempotency-Key` has not ended yet."""

    status, code = HTTPStatus.CONFLICT, "idempotency_in_progress"


class ImageTooLargeError(ApiError):
    """More pixels, or more bytes, than the service takes; the message says which."""

    status, code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "image_too_large"


class NoSubjectError(ApiError):
    """The model finds nothing in the photo that stands out from a background."""

    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "no_subject"


class RateLimitError(ApiError):
    """The key has used up its requests for now."""

    status, code = HTTPStatus.TOO_MANY_REQUESTS, "rate_limit_exceeded"


class InternalError(ApiError):
    """Something broke inside; the log has the traceback under the request id."""

    status, code = HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error"

    def __init__(self) -> None:
        """Tell nothing of the inside."""
        super().__init__("The request failed for a reason on our side. Nothing was charged.")


class LostError(InternalError):
    """The process that worked on the request ended before it had answered.

    It may have been at any point, the last one included, at which the picture is paid for.
    """

    is_free = False

    def __init__(self) -> None:
        """Say what can be said, and how to find out."""
        message = (
            "The request was lost for a reason on our side. What was held for it is given back;"
            " send it again with the same Idempotency-Key, which is never charged twice."
        )
        ApiError.__init__(self, message)


class UnavailableError(ApiError):
    """The accounts or the large files cannot be reached, or time ran out; nothing was charged."""

    status, code = HTTPStatus.SERVICE_UNAVAILABLE, "temporarily_unavailable"


class OverloadedError(ApiError):
    """As many requests as the server can take wait already; this one was not begun."""

    status, code = HTTPStatus.SERVICE_UNAVAILABLE, "overloaded"

    def __init__(self, *, retry_after_s: int) -> None:
        """Say the same to everyone, and when to come again."""
        message = "The server has more requests than it can take just now. Nothing was charged."
        super().__init__(message, retry_after_s=retry_after_s)

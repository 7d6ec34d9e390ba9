"""The errors that the API returns.

Each class has an HTTP status and a `code` of the API. Any module can raise these errors;
`api.response` turns the errors into responses. The errors of form fields are in `parameter_errors`.
"""

from __future__ import annotations

import copyreg
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from blur.credits import ONE, format_credits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from blur.account_status import AccountStatus
    from blur.credits import Credits


class ApiError(Exception):
    """An error that clients can get. Nothing was charged, except perhaps for `ResponseLostError`.

    Clients see `message`, so it never contains keys, paths of files or other internals.
    `account_status` is the status of the account after the call, or None if it is unknown.
    """

    status: ClassVar[HTTPStatus]
    code: ClassVar[str]
    is_free: ClassVar[bool] = True
    """True if it is certain that nothing was charged."""

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: int | None = None,
        account_status: AccountStatus | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the content of the response; `retry_after_s` is set if a retry can help."""
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s
        self.account_status = account_status
        self.headers = dict(headers or {})
        if self.is_free:
            self.headers["X-Credits-Charged"] = "0"
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(retry_after_s)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the attributes; a process that unpickles the error does not call `__init__`.

        By default, `__init__` would be called with only the message, which few subclasses accept.
        """
        return copyreg.__newobj__, (type(self), *self.args), self.__dict__  # type: ignore[attr-defined]

    def add_account_status(self, status: AccountStatus) -> None:
        """Add the account's status to an error; the code that raised the error did not have it."""
        self.account_status = status


class InvalidRequestError(ApiError):
    """The request is not a valid form or JSON document for this route."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_request"


class InvalidImageError(ApiError):
    """The file is not an image, is damaged, or is in an unsupported format."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_image"


class UnsupportedImageError(InvalidImageError):
    """The file is in an unsupported format."""


class InvalidIdempotencyKeyError(ApiError):
    """The `Idempotency-Key` header is empty, too long or not visible ASCII."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_idempotency_key"


class InvalidApiKeyError(ApiError):
    """The key is missing, malformed, unknown, revoked or expired; all cases get the same error."""

    status, code = HTTPStatus.UNAUTHORIZED, "invalid_api_key"

    def __init__(self) -> None:
        """Use one message for all cases, so that a response never shows which keys exist."""
        super().__init__("The ApiKey header is missing or its key is not valid. Send a valid key.")


class InsufficientCreditsError(ApiError):
    """The balance of the account is lower than the price of the call."""

    status, code = HTTPStatus.PAYMENT_REQUIRED, "insufficient_credits"

    def __init__(self, price: Credits, account_status: AccountStatus) -> None:
        """Put the price and the balance into the message."""
        credits_ = "1 credit" if price == ONE else f"{format_credits(price)} credits"
        left = format_credits(account_status.credits_left)
        message = (
            f"This call costs {credits_}; the account has {left} left."
            " Ask the operator for credits."
        )
        super().__init__(message, account_status=account_status)


class NotFoundError(ApiError):
    """No route has this path."""

    status, code = HTTPStatus.NOT_FOUND, "not_found"


class UploadNotFoundError(ApiError):
    """This key has no upload with this id, or the upload has expired."""

    status, code = HTTPStatus.NOT_FOUND, "upload_not_found"

    def __init__(
        self,
        message: str = (
            "No upload with this id was found for this key, or it has expired. Send the file again."
        ),
    ) -> None:
        """Use one default message for all cases, so that no response shows which uploads exist."""
        super().__init__(message)


class MethodNotAllowedError(ApiError):
    """The route does not accept this method."""

    status, code = HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed"

    def __init__(self, message: str, *, allowed: Sequence[str]) -> None:
        """List the route's methods in the `Allow` header (RFC 9110, 10.2.1)."""
        super().__init__(message, headers={"Allow": ", ".join(allowed)})


class IdempotencyConflictError(ApiError):
    """The `Idempotency-Key` was used before with a different photo or different parameters."""

    status, code = HTTPStatus.CONFLICT, "idempotency_conflict"


class IdempotencyInProgressError(ApiError):
    """The first call with this idempotency key, or an upload with this form, is in progress."""

    status, code = HTTPStatus.CONFLICT, "idempotency_in_progress"


class ImageTooLargeError(ApiError):
    """The photo has too many pixels, or the request or the upload has too many bytes."""

    status, code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "image_too_large"


class TooManyPixelsError(ImageTooLargeError):
    """The photo has too many pixels."""


class NoSubjectError(ApiError):
    """The model finds no subject in the photo."""

    status, code = HTTPStatus.UNPROCESSABLE_ENTITY, "no_subject"


class RateLimitError(ApiError):
    """The key has reached its rate limit."""

    status, code = HTTPStatus.TOO_MANY_REQUESTS, "rate_limit_exceeded"

    def __init__(self, retry_after_s: int, account_status: AccountStatus) -> None:
        """Put the seconds to wait into the message."""
        message = f"Too many requests; try again in {retry_after_s} s."
        super().__init__(message, retry_after_s=retry_after_s, account_status=account_status)


class InternalError(ApiError):
    """An error in the service; the log has the traceback under the request id."""

    status, code = HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error"

    def __init__(
        self, message: str = "The service failed to process this request. Nothing was charged."
    ) -> None:
        """Set the message, which contains no internal details."""
        super().__init__(message)


class ResponseLostError(InternalError):
    """The process that handled the request ended before it sent the response.

    The process can end at any point, even after the charge.
    """

    is_free = False

    def __init__(self) -> None:
        """Set the message, which describes how to repeat the request safely."""
        message = (
            "The service stopped before it sent the response. Send the request again with the same"
            " Idempotency-Key: it is charged at most once."
        )
        super().__init__(message)


class UnavailableError(ApiError):
    """Accounts or storage are unavailable, or the deadline has passed; nothing is charged."""

    status, code = HTTPStatus.SERVICE_UNAVAILABLE, "temporarily_unavailable"


class OverloadedError(ApiError):
    """The server is too busy, and did not start this request."""

    status, code = HTTPStatus.SERVICE_UNAVAILABLE, "overloaded"

    def __init__(self, *, retry_after_s: int) -> None:
        """Set the message, and the seconds to wait."""
        message = "The server is too busy for this request. Try again later; nothing was charged."
        super().__init__(message, retry_after_s=retry_after_s)

"""Errors in remove.bg's format: the status, title and code for each error of this service.

remove.bg's clients show `title`. Some of these clients fail if a value in an error is not a string.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from blur import errors, job_errors, parameter_errors, removal_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blur.errors import ApiError

_BAD_REQUEST = HTTPStatus.BAD_REQUEST


class Row(NamedTuple):
    """Status, title and code for one class of errors."""

    status: HTTPStatus
    title: str
    code: str
    has_detail: bool = True
    """Whether the response has the error's message; remove.bg sends none for an invalid key."""


def _bad(title: str, code: str) -> Row:
    return Row(_BAD_REQUEST, title, code)


_INTERNAL = Row(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error", "internal_error")
_INVALID_REQUEST = _bad("Invalid request", "invalid_request")

ROWS: Mapping[type[ApiError], Row] = {
    errors.ApiError: _INTERNAL,
    errors.InvalidRequestError: _INVALID_REQUEST,
    errors.InvalidImageError: _bad("Failed to read image", "failed_to_read_image"),
    errors.UnsupportedImageError: _bad("Invalid file type", "invalid_file_type"),
    errors.InvalidIdempotencyKeyError: _bad("Invalid Idempotency-Key", "invalid_idempotency_key"),
    errors.InvalidApiKeyError: Row(
        HTTPStatus.FORBIDDEN, "API Key invalid", "auth_failed", has_detail=False
    ),
    errors.InsufficientCreditsError: Row(
        HTTPStatus.PAYMENT_REQUIRED, "Insufficient credits", "insufficient_credits"
    ),
    errors.NotFoundError: Row(HTTPStatus.NOT_FOUND, "Not found", "not_found"),
    errors.UploadNotFoundError: Row(HTTPStatus.NOT_FOUND, "Upload not found", "upload_not_found"),
    errors.MethodNotAllowedError: Row(
        HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed", "method_not_allowed"
    ),
    errors.IdempotencyConflictError: Row(
        HTTPStatus.CONFLICT, "Idempotency-Key was used for another request", "idempotency_conflict"
    ),
    errors.IdempotencyInProgressError: Row(
        HTTPStatus.TOO_MANY_REQUESTS, "First call still running", "idempotency_in_progress"
    ),
    errors.ImageTooLargeError: _bad("File too large", "file_too_large"),
    errors.TooManyPixelsError: _bad("Image resolution too high", "resolution_too_high"),
    errors.NoSubjectError: _bad("Could not identify foreground in image", "unknown_foreground"),
    errors.RateLimitError: Row(
        HTTPStatus.TOO_MANY_REQUESTS, "Rate limit exceeded", "rate_limit_exceeded"
    ),
    errors.InternalError: _INTERNAL,
    errors.ResponseLostError: _INTERNAL,
    errors.UnavailableError: Row(
        HTTPStatus.SERVICE_UNAVAILABLE, "Temporarily unavailable", "temporarily_unavailable"
    ),
    errors.OverloadedError: Row(HTTPStatus.SERVICE_UNAVAILABLE, "Overloaded", "overloaded"),
    parameter_errors.InvalidParameterError: _INVALID_REQUEST,
    parameter_errors.InvalidRadiusError: _bad("Invalid radius", "invalid_radius"),
    parameter_errors.InvalidDepthError: _bad("Invalid depth", "invalid_depth"),
    parameter_errors.InvalidRoiError: _bad("Invalid roi", "invalid_roi"),
    parameter_errors.RoiExceedsBoundsError: _bad("roi exceeds bounds", "roi_exceeds_bounds"),
    parameter_errors.RoiRegionEmptyError: _bad("roi region is empty", "roi_region_empty"),
    parameter_errors.InvalidSubjectError: _bad("Invalid subject", "invalid_subject"),
    parameter_errors.InvalidModeError: _bad("Invalid mode", "invalid_mode"),
    parameter_errors.InvalidBlurError: _bad("Invalid blur", "invalid_blur"),
    parameter_errors.InvalidFormatError: _bad("Invalid format", "invalid_format"),
    parameter_errors.InvalidQualityError: _bad("Invalid quality", "invalid_quality"),
    parameter_errors.InvalidContentTypeError: _bad("Invalid content type", "invalid_content_type"),
    parameter_errors.InvalidBytesError: _bad("Invalid bytes", "invalid_bytes"),
    job_errors.JobNotFoundError: Row(HTTPStatus.NOT_FOUND, "Job not found", "job_not_found"),
    job_errors.ResultNotFoundError: Row(
        HTTPStatus.NOT_FOUND, "Result not found", "result_not_found"
    ),
    job_errors.JobClosedError: Row(HTTPStatus.CONFLICT, "Job closed", "job_closed"),
    job_errors.TooManyJobsError: Row(
        HTTPStatus.TOO_MANY_REQUESTS, "Too many jobs", "too_many_jobs"
    ),
    job_errors.InvalidNotifyError: _bad("Invalid notify", "invalid_notify"),
    removal_errors.RemovalError: _INVALID_REQUEST,
    removal_errors.MissingSourceError: _bad("No image given", "missing_source"),
    removal_errors.MultipleSourcesError: _bad("Multiple image sources given", "multiple_sources"),
    removal_errors.InvalidImageUrlError: _bad(
        "Image URL invalid or not allowed", "invalid_image_url"
    ),
    removal_errors.FailedImageDownloadError: _bad(
        "Failed to download image", "failed_image_download"
    ),
    removal_errors.FileTooLargeError: _bad("File too large", "file_too_large"),
    removal_errors.ResultTooLargeError: _bad("Result too large", "file_too_large"),
    removal_errors.InvalidSizeError: _bad("Invalid size", "invalid_size"),
    removal_errors.InvalidTypeLevelError: _bad("Invalid type level", "invalid_type_level"),
    removal_errors.InvalidChannelsError: _bad("Invalid channels", "invalid_channels"),
    removal_errors.InvalidCropError: _bad("Invalid crop", "invalid_crop"),
    removal_errors.InvalidCropMarginError: _bad("Invalid crop margin", "invalid_crop_margin"),
    removal_errors.InvalidScaleError: _bad("Invalid scale", "invalid_scale"),
    removal_errors.InvalidPositionError: _bad("Invalid position", "invalid_position"),
    removal_errors.InvalidBgColorError: _bad("Invalid background color", "invalid_bg_color"),
    removal_errors.InvalidBgImageUrlError: _bad(
        "Background image URL invalid or not allowed", "invalid_bg_image_url"
    ),
    removal_errors.FailedBgDownloadError: _bad(
        "Failed to download background image", "failed_bg_download"
    ),
    removal_errors.InvalidBgImageError: _bad("Failed to read background image", "invalid_bg_image"),
    removal_errors.MultipleBgSourcesError: _bad(
        "Multiple background sources given", "multiple_bg_sources"
    ),
    removal_errors.InvalidSemitransparencyError: _bad(
        "Invalid semitransparency", "invalid_semitransparency"
    ),
    removal_errors.UnsupportedShadowError: _bad("Shadows are not supported", "unsupported_shadow"),
}
"""The status, title and code for each class of errors, and for its subclasses that have no row."""


def row_of(error: ApiError) -> Row:
    """Return the status, title and code for an error."""
    return next(ROWS[kind] for kind in type(error).__mro__ if kind in ROWS)


def error_document(error: ApiError) -> Mapping[str, object]:
    """Return the body of the response to an error: `{"errors": [{title, code[, detail]}]}`."""
    row = row_of(error)
    detail = {"detail": error.message} if row.has_detail else {}
    return {"errors": [{"title": row.title, "code": row.code, **detail}]}

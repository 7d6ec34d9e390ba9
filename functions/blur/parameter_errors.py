"""The errors of the fields of a request; each class has its own `code`."""

from __future__ import annotations

from http import HTTPStatus

from blur.errors import ApiError


class InvalidParameterError(ApiError):
    """A field is missing or not valid; each subclass is an error of one field."""


class InvalidRadiusError(InvalidParameterError):
    """`radius` is missing, not a number of pixels or a percentage, or out of range."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_radius"


class InvalidDepthError(InvalidParameterError):
    """`depth` is not `flat` or `ground`."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_depth"


class InvalidRoiError(InvalidParameterError):
    """`roi` is not four values in pixels or percent."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_roi"


class RoiExceedsBoundsError(InvalidParameterError):
    """The region of `roi` is partly outside the photo."""

    status, code = HTTPStatus.BAD_REQUEST, "roi_exceeds_bounds"


class RoiRegionEmptyError(InvalidParameterError):
    """The region of `roi` is too small for a subject."""

    status, code = HTTPStatus.BAD_REQUEST, "roi_region_empty"


class InvalidSubjectError(InvalidParameterError):
    """`subject` is not a supported subject, or needs a neural network that is not installed."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_subject"


class InvalidModeError(InvalidParameterError):
    """`mode` is not a supported mode."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_mode"


class InvalidBlurError(InvalidParameterError):
    """`blur` is not a supported kernel."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_blur"


class InvalidFormatError(InvalidParameterError):
    """`format` is not a supported output format, or cannot hold an image of this size."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_format"


class InvalidQualityError(InvalidParameterError):
    """`quality` is not a whole number, or is out of range."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_quality"


class InvalidContentTypeError(InvalidParameterError):
    """`content_type` is missing or not the media type of a supported format."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_content_type"


class InvalidBytesError(InvalidParameterError):
    """`bytes` is missing or not a whole number of at least 1."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_bytes"

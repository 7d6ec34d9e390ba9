"""The errors that only the routes of remove.bg's API return.

`api.removebg.errors` maps all errors to responses in remove.bg's format.
"""

from __future__ import annotations

from http import HTTPStatus

from blur.errors import ApiError


class RemovalError(ApiError):
    """An error that only the routes of remove.bg's API return."""


class MissingSourceError(RemovalError):
    """The request has no image."""

    status, code = HTTPStatus.BAD_REQUEST, "missing_source"


class MultipleSourcesError(RemovalError):
    """The request has more than one of `image_file`, `image_file_b64` and `image_url`."""

    status, code = HTTPStatus.BAD_REQUEST, "multiple_sources"


class InvalidImageUrlError(RemovalError):
    """`image_url` is not a URL that can be fetched, or fetching is off."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_image_url"


class FailedImageDownloadError(RemovalError):
    """The image at `image_url` cannot be downloaded."""

    status, code = HTTPStatus.BAD_REQUEST, "failed_image_download"


class FileTooLargeError(RemovalError):
    """The file of an image has too many bytes."""

    status, code = HTTPStatus.BAD_REQUEST, "file_too_large"


class ResultTooLargeError(RemovalError):
    """The result is too large for a response; clients get the code `file_too_large`."""

    status, code = HTTPStatus.BAD_REQUEST, "result_too_large"


class InvalidSizeError(RemovalError):
    """`size` is not a supported size."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_size"


class InvalidTypeLevelError(RemovalError):
    """`type_level` is not a supported level."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_type_level"


class InvalidChannelsError(RemovalError):
    """`channels` is not `rgba` or `alpha`."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_channels"


class InvalidCropError(RemovalError):
    """`crop` is not a boolean."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_crop"


class InvalidCropMarginError(RemovalError):
    """`crop_margin` is not 1, 2 or 4 lengths within the limits."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_crop_margin"


class InvalidScaleError(RemovalError):
    """`scale` is not `original` or from 10% to 100%."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_scale"


class InvalidPositionError(RemovalError):
    """`position` is not `original`, `center`, or one or two percentages."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_position"


class InvalidBgColorError(RemovalError):
    """`bg_color` is not a hexadecimal colour or a colour name."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_bg_color"


class InvalidBgImageUrlError(RemovalError):
    """`bg_image_url` is not a URL that can be fetched, or fetching is off."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_bg_image_url"


class FailedBgDownloadError(RemovalError):
    """The image at `bg_image_url` cannot be downloaded."""

    status, code = HTTPStatus.BAD_REQUEST, "failed_bg_download"


class InvalidBgImageError(RemovalError):
    """The background image cannot be decoded, is in an unsupported format, or is too large."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_bg_image"


class MultipleBgSourcesError(RemovalError):
    """The request has more than one of `bg_color`, `bg_image_url` and `bg_image_file`."""

    status, code = HTTPStatus.BAD_REQUEST, "multiple_bg_sources"


class InvalidSemitransparencyError(RemovalError):
    """`semitransparency` is not a boolean."""

    status, code = HTTPStatus.BAD_REQUEST, "invalid_semitransparency"


class UnsupportedShadowError(RemovalError):
    """The request asks for a shadow."""

    status, code = HTTPStatus.BAD_REQUEST, "unsupported_shadow"

"""The photo and the background image of a request.

Each image is a file or a URL to fetch; the photo can also be base64 text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import pybase64

from blur.errors import InvalidImageError, InvalidRequestError, UnsupportedImageError
from blur.fetching.errors import (
    DownloadError,
    DownloadTooLargeError,
    InvalidUrlError,
    NotAnImageError,
)
from blur.forms import ImageInput
from blur.removal_errors import (
    FailedBgDownloadError,
    FailedImageDownloadError,
    FileTooLargeError,
    InvalidBgImageUrlError,
    InvalidImageUrlError,
    MissingSourceError,
    MultipleBgSourcesError,
    MultipleSourcesError,
)

if TYPE_CHECKING:
    from blur.api.removebg.body import Fields
    from blur.errors import ApiError

MAX_FILE_BYTES = 22_000_000
"""The maximum size of an image file in bytes, as in remove.bg's API."""
Fetch: TypeAlias = Callable[[str], bytes]
"""A function that returns the file at a URL, or raises a `FetchError`."""

_SOURCES = ("image_file", "image_file_b64", "image_url")
_BACKGROUNDS = ("bg_color", "bg_image_file", "bg_image_url")
_WHITE_SPACE = b" \t\r\n\f\v"


class _Errors(NamedTuple):
    """The error for each problem with a URL that a client sends in a parameter."""

    invalid: type[ApiError]
    failed: type[ApiError]
    not_an_image: type[ApiError]
    too_large: type[ApiError]


_IMAGE_ERRORS = _Errors(
    InvalidImageUrlError, FailedImageDownloadError, UnsupportedImageError, FileTooLargeError
)
_BACKGROUND_ERRORS = _Errors(
    InvalidBgImageUrlError, FailedBgDownloadError, FailedBgDownloadError, FailedBgDownloadError
)


def image_source(fields: Fields, fetch: Fetch | None) -> ImageInput:
    """Return the source of the photo; a URL is fetched later.

    Raises:
        MissingSourceError: the request has no photo, or has `image_file` as text.
        MultipleSourcesError: the request has more than one photo.
        FileTooLargeError: the file has more than `MAX_FILE_BYTES`.
        InvalidImageError: `image_file_b64` is not base64.
        InvalidImageUrlError: the request has a URL, but this server does not fetch URLs.

    """
    match _present(fields, _SOURCES):
        case ["image_file"]:
            return ImageInput.of_file(_file(fields, "image_file", MissingSourceError))
        case ["image_file_b64"]:
            return ImageInput.of_file(_bounded(_decode_base64(fields.texts["image_file_b64"])))
        case ["image_url"]:
            return _url_source(fields.texts["image_url"], "image_url", fetch, _IMAGE_ERRORS)
        case []:
            message = f"Send the image as one of: {', '.join(_SOURCES)}."
            raise MissingSourceError(message)
        case several:
            message = f"The request has {' and '.join(several)}. Send only one of them."
            raise MultipleSourcesError(message)


def background_source(fields: Fields, fetch: Fetch | None) -> ImageInput | None:
    """Return the source of the background image; None without a background, or for a colour.

    Raises:
        MultipleBgSourcesError: the request has more than one background, such as colour and image.
        InvalidRequestError: the request has `bg_image_file` as text.
        FileTooLargeError: the file has more than `MAX_FILE_BYTES`.
        InvalidBgImageUrlError: the request has a URL, but this server does not fetch URLs.

    """
    match _present(fields, _BACKGROUNDS):
        case [] | ["bg_color"]:
            return None
        case ["bg_image_file"]:
            return ImageInput.of_file(_file(fields, "bg_image_file", InvalidRequestError))
        case ["bg_image_url"]:
            url = fields.texts["bg_image_url"]
            return _url_source(url, "bg_image_url", fetch, _BACKGROUND_ERRORS)
        case several:
            message = f"The request has {' and '.join(several)}. Send at most one of them."
            raise MultipleBgSourcesError(message)


def _present(fields: Fields, names: tuple[str, ...]) -> list[str]:
    sent = {*fields.texts, *fields.files, *fields.misplaced}
    return [name for name in names if name in sent]


def _file(fields: Fields, name: str, error: type[ApiError]) -> bytes:
    if name in fields.misplaced:
        message = f"Send '{name}' as a file of a multipart/form-data request."
        raise error(message)
    return _bounded(fields.files[name])


def _bounded(data: bytes) -> bytes:
    if len(data) > MAX_FILE_BYTES:
        message = f"The file has {len(data)} bytes. Send at most {MAX_FILE_BYTES}."
        raise FileTooLargeError(message)
    return data


def _decode_base64(text: str) -> bytes:
    """Decode base64 text, which can be a data URL (RFC 2397) and contain white space."""
    if text[:5].lower() == "data:":
        text = text.partition(",")[2]
    encoded = text.encode(errors="replace").translate(None, _WHITE_SPACE).rstrip(b"=")
    try:
        return pybase64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
    except ValueError as error:  # ValueError is the superclass of binascii.Error
        message = "The parameter 'image_file_b64' is not valid base64."
        raise InvalidImageError(message) from error


def _url_source(url: str, name: str, fetch: Fetch | None, errors: _Errors) -> ImageInput:
    if fetch is None:
        message = f"This server does not fetch images by URL. Send a file instead of '{name}'."
        raise errors.invalid(message)

    def load(url: str) -> bytes:
        try:
            return fetch(url)
        except InvalidUrlError as error:
            raise errors.invalid(str(error)) from error
        except DownloadTooLargeError as error:
            raise errors.too_large(str(error)) from error
        except NotAnImageError as error:
            raise errors.not_an_image(str(error)) from error
        except DownloadError as error:
            raise errors.failed(str(error)) from error

    return ImageInput.of_url(url, load)

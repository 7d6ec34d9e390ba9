"""The request for an upload, as JSON or as a form, and its response."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from blur.accounts.model import Instant
from blur.api.account import rfc3339
from blur.api.blur_request import bounded_body
from blur.api.json_body import parse_json_object
from blur.api.multipart import parse_form
from blur.errors import InvalidRequestError
from blur.imaging.decode.formats import INPUT_FORMATS
from blur.parameter_errors import InvalidBytesError, InvalidContentTypeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blur.api.request import HttpRequest
    from blur.storage.owned_uploads import PresignedUpload

MAX_BODY_BYTES = 10_000
MAX_FIELDS = 20
CONTENT_TYPES = (*(f"image/{name.lower()}" for name in INPUT_FORMATS), "image/heif")
"""The media types of the supported formats; HEIC has two."""

_LOOPBACK_HOST = re.compile(
    r"(localhost|127(\.(0|[1-9][0-9]{0,2})){3}|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE
)
_WHOLE_NUMBER = re.compile(r"0*[1-9][0-9]{0,14}")


def read_upload(request: HttpRequest) -> tuple[str, int]:
    """Return the content type and the size in bytes of the file that will be uploaded.

    Raises:
        ImageTooLargeError: the request's body is too large.
        InvalidRequestError: the body is neither a JSON object nor a form.
        InvalidContentTypeError, InvalidBytesError: the field is missing or not valid.

    """
    fields = _fields(request)
    content_type, size = fields.get("content_type"), fields.get("bytes")
    if content_type not in CONTENT_TYPES:
        types = ", ".join(CONTENT_TYPES)
        message = f"The field 'content_type' is missing or not valid. Send one of: {types}."
        raise InvalidContentTypeError(message)
    if isinstance(size, bool) or not _WHOLE_NUMBER.fullmatch(str(size)):
        message = "The field 'bytes' is missing or not valid. Send a whole number of at least 1."
        raise InvalidBytesError(message)
    return str(content_type), int(str(size))


def upload_document(upload: PresignedUpload, request: HttpRequest) -> dict[str, Any]:
    """Return the upload as JSON values.

    If the store does not know its address, the Host header completes the URL only if it is a
    loopback address. Clients can send any other Host or X-Forwarded-Proto, so the URL then stays
    relative to the request's (RFC 3986, 5).
    """
    url = upload.form.url
    return {
        "upload_id": upload.upload_id,
        "url": url if "://" in url else f"{_loopback_url(request)}{url}",
        "fields": dict(upload.form.fields),
        "expires_at": rfc3339(Instant(upload.form.expires_us)),
    }


def _loopback_url(request: HttpRequest) -> str:
    host = request.headers.get("host", "")
    return f"http://{host}" if _LOOPBACK_HOST.fullmatch(host) else ""


def _fields(request: HttpRequest) -> Mapping[str, Any]:
    body = bounded_body(request, MAX_BODY_BYTES)
    content_type = request.headers.get("content-type", "")
    match content_type.partition(";")[0].strip().lower():
        case "application/json":
            return parse_json_object(body)
        case "application/x-www-form-urlencoded":
            return _pairs(body)
        case _:
            parts = parse_form(content_type, body).parts
            return {name: values[-1].decode(errors="replace") for name, values in parts.items()}


def _pairs(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode("latin-1"), max_num_fields=MAX_FIELDS))
    except ValueError as error:
        message = "The form has too many fields."
        raise InvalidRequestError(message) from error

"""The route for uploads: its request, as JSON or as a form, and its response."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from blur.accounts.model import Instant
from blur.api import response
from blur.api.request_fields import absolute_url, read_fields
from blur.api.request_key import request_key
from blur.imaging.decode.formats import INPUT_FORMATS
from blur.parameter_errors import InvalidBytesError, InvalidContentTypeError
from blur.timing import rfc3339

if TYPE_CHECKING:
    from blur.api.request import HttpRequest
    from blur.api.router import HttpResponse, Route
    from blur.service import ImageService
    from blur.storage.owned_uploads import PresignedUpload, Uploads

CONTENT_TYPES = (*(f"image/{name.lower()}" for name in INPUT_FORMATS), "image/heif")
"""The media types of the supported formats; HEIC has two."""

_WHOLE_NUMBER = re.compile(r"0*[1-9][0-9]{0,14}")


def read_upload(request: HttpRequest) -> tuple[str, int]:
    """Return the content type and the size in bytes of the file that will be uploaded.

    Raises:
        ImageTooLargeError: the request's body is too large.
        InvalidRequestError: the body is neither a JSON object nor a form.
        InvalidContentTypeError: the field `content_type` is missing or not valid.
        InvalidBytesError: the field `bytes` is missing or not valid.

    """
    fields = read_fields(request)
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
    """Return the upload's id and its presigned form as JSON values."""
    return {
        "upload_id": upload.upload_id,
        "url": absolute_url(upload.form.url, request),
        "fields": dict(upload.form.fields),
        "expires_at": rfc3339(Instant(upload.form.expires_us)),
    }


def upload_route(service: ImageService, uploads: Uploads) -> Route:
    """Return the route that presigns uploads; it is free, but counts towards the rate limit."""

    def create_upload(request: HttpRequest) -> HttpResponse:
        key = request_key(request)
        with service.authorized(key) as status:
            request.measured.status = status
            content_type, size_bytes = read_upload(request)
            upload = uploads.presign_upload(
                key.digest, content_type, size_bytes, now_us=service.clock()
            )
            body = upload_document(upload, request)
        return response.json_response(body, request.request_id, status, HTTPStatus.CREATED)

    return create_upload

"""Parse a removal request: the body and the parameters of `POST /v1.0/removebg`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from blur.api.accept import accepts_explicitly, prefers_json
from blur.api.blur_request import bounded_body, require_valid_idempotency_key
from blur.api.removebg.body import read_fields
from blur.api.removebg.parameters import is_preview, parse_options, parse_type_level
from blur.api.removebg.sources import background_source, image_source
from blur.forms import RemovalForm

if TYPE_CHECKING:
    from blur.api.removebg.sources import Fetch
    from blur.api.request import HttpRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits for removal requests, and the function that fetches images by URL."""

    max_body_bytes: int
    max_image_bytes: int | None = None
    """The maximum size of the result's file, both for a response with the image and for a response
    with JSON; None sets no limit."""
    fetch: Fetch | None = None
    """Returns the file at a URL; None if this server does not fetch URLs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalCall:
    """A parsed form, and the parts of the request that affect only the response."""

    form: RemovalForm
    sends_json: bool


def parse_removal_request(request: HttpRequest, limits: Limits) -> RemovalCall:
    """Return the parsed request; no URL has been fetched yet, and no image has been decoded.

    Raises:
        ImageTooLargeError: the body has more than `max_body_bytes`.
        FileTooLargeError: an image file has more than `sources.MAX_FILE_BYTES`.
        InvalidRequestError: the body is malformed.
        RemovalError, InvalidParameterError: a parameter is not valid.
        InvalidImageError: the field `image_file_b64` is not base64.
        InvalidIdempotencyKeyError: `Idempotency-Key` is not 1 to 255 visible ASCII characters.

    """
    require_valid_idempotency_key(request)
    body = bounded_body(request, limits.max_body_bytes)
    fields = read_fields(request.headers.get("content-type", ""), body)
    accept = request.headers.get("accept", "")
    image = image_source(fields, limits.fetch)
    form = RemovalForm(
        options=parse_options(fields, image.data),
        image=image,
        background=background_source(fields, limits.fetch),
        is_preview=is_preview(fields, image.data),
        has_type=parse_type_level(fields) != "none",
        max_bytes=limits.max_image_bytes,
        accepts=partial(accepts_explicitly, accept),
    )
    return RemovalCall(form=form, sends_json=prefers_json(accept))

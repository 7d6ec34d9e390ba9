"""Read the fields of requests without a photo, from JSON or a form, and make URLs of this API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from blur.api.blur_request import bounded_body
from blur.api.json_body import parse_json_object
from blur.api.multipart import parse_form
from blur.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blur.api.request import HttpRequest

MAX_BODY_BYTES = 10_000
MAX_FIELDS = 20

_LOOPBACK_HOST = re.compile(
    r"(localhost|127(\.(0|[1-9][0-9]{0,2})){3}|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE
)


def read_fields(request: HttpRequest) -> Mapping[str, Any]:
    """Return the fields of a request; if a name is repeated, its last value counts.

    Raises:
        ImageTooLargeError: the request's body has more than `MAX_BODY_BYTES`.
        InvalidRequestError: the body is neither a JSON object nor a form.

    """
    body = bounded_body(request, MAX_BODY_BYTES)
    content_type = request.headers.get("content-type", "")
    match content_type.partition(";")[0].strip().lower():
        case "application/json":
            return parse_json_object(body)
        case "application/x-www-form-urlencoded":
            return _pairs(body)
        case "multipart/form-data":
            parts = parse_form(content_type, body).parts
            return {name: values[-1].decode(errors="replace") for name, values in parts.items()}
        case _:
            message = "Send the fields as JSON with 'Content-Type: application/json', or as a form."
            raise InvalidRequestError(message)


def absolute_url(url: str, request: HttpRequest) -> str:
    """Return the URL with the server's address, if the address is known.

    An absolute URL does not change. A path gets the address in the `Host` header only if this is a
    loopback address. Otherwise the path does not change, because clients can send any `Host` and
    `X-Forwarded-Proto`; clients resolve the path against the request's URL (RFC 3986, 5).
    """
    host = request.headers.get("host", "")
    if "://" in url or not _LOOPBACK_HOST.fullmatch(host):
        return url
    return f"http://{host}{url}"


def _pairs(body: bytes) -> dict[str, str]:
    if body.lstrip().startswith(b"{"):  # `curl -d` sends JSON as a form by default
        message = "The body is JSON, not a form. Send it with 'Content-Type: application/json'."
        raise InvalidRequestError(message)
    try:
        text = body.decode("latin-1")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as error:
        message = "The form has too many fields."
        raise InvalidRequestError(message) from error

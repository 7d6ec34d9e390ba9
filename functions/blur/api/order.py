"""The form's fields, read and checked: what the client asks to be done to which image."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from blur.api.multipart import parse_form
from blur.errors import (
    ImageTooLargeError,
    InvalidFormatError,
    InvalidIdempotencyKeyError,
    InvalidModeError,
    InvalidRadiusError,
    InvalidRequestError,
)
from blur.imaging.encode import FORMATS
from blur.imaging.pipeline import MODES
from blur.service import Order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from blur.api.multipart import Form
    from blur.api.request import HttpRequest
    from blur.errors import InvalidParameterError

MAX_RADIUS_PX = 50
_MAX_DIGITS = 15
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,255}")


def read_order(request: HttpRequest, *, max_body_bytes: int) -> Order:
    """Read the order out of the request's form.

    Raises:
        ImageTooLargeError: the body has more than `max_body_bytes`.
        InvalidRequestError: it is no well-formed form, or has not exactly one `image`.
        InvalidParameterError: a field is missing, repeated or out of its range.
        InvalidIdempotencyKeyError: the header is not 1 to 255 visible ASCII characters.

    """
    form = parse_form(request.headers.get("content-type", ""), _body(request, max_body_bytes))
    return Order(
        image=_image(form),
        radius_px=_radius(form),
        mode=_choice(form, "mode", MODES, "background", InvalidModeError),
        output=_choice(form, "format", FORMATS, "png", InvalidFormatError),
        idempotency_key=_idempotency_key(request),
    )


def _body(request: HttpRequest, max_body_bytes: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:_MAX_DIGITS]) > max_body_bytes:
        raise _too_large(max_body_bytes)
    body = request.body()
    if len(body) > max_body_bytes:
        raise _too_large(max_body_bytes)
    return body


def _too_large(max_body_bytes: int) -> ImageTooLargeError:
    return ImageTooLargeError(f"The request has more than {max_body_bytes} bytes.")


def _image(form: Form) -> bytes:
    images = form.all("image")
    if not images:
        message = "The form has no file named 'image'."
        raise InvalidRequestError(message)
    if len(images) > 1:
        message = f"The form has {len(images)} files named 'image'; send one."
        raise InvalidRequestError(message)
    return images[0]


def _radius(form: Form) -> int:
    text = _text(form, "radius", InvalidRadiusError)
    if text is not None and _WHOLE_NUMBER.fullmatch(text) and int(text) <= MAX_RADIUS_PX:
        return int(text)
    what = "is missing" if text is None else "is not valid"
    message = f"The field 'radius' {what}: it takes a whole number from 0 to {MAX_RADIUS_PX}."
    raise InvalidRadiusError(message)


def _choice(
    form: Form,
    name: str,
    choices: Iterable[str],
    default: str,
    error: type[InvalidParameterError],
) -> str:
    text = _text(form, name, error)
    if text is None:
        return default
    if text not in choices:
        message = f"The field '{name}' is not valid: it takes {' or '.join(choices)}."
        raise error(message)
    return text


def _text(form: Form, name: str, error: type[InvalidParameterError]) -> str | None:
    values = form.all(name)
    if len(values) > 1:
        message = f"The field '{name}' is given {len(values)} times; send it once."
        raise error(message)
    # Undecodable bytes become a character that no choice and no number contains.
    return values[0].decode(errors="replace").strip() if values else None


def _idempotency_key(request: HttpRequest) -> str | None:
    value = request.headers.get("idempotency-key")
    if value is not None and not _VISIBLE_ASCII.fullmatch(value):
        message = "The Idempotency-Key header takes 1 to 255 visible ASCII characters."
        raise InvalidIdempotencyKeyError(message)
    return value

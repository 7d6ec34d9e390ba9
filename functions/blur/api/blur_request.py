"""Parse and check blur requests: the form fields and the `Idempotency-Key` header."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from blur.accounts.idempotency_key import IdempotencyKey
from blur.api.accept import DEFAULT, preferred_format
from blur.api.multipart import parse_form
from blur.errors import ImageTooLargeError, InvalidIdempotencyKeyError, InvalidRequestError
from blur.forms import BlurForm
from blur.imaging.blur_options import (
    DEFAULT_QUALITY,
    DEPTHS,
    KERNEL_NAMES,
    MODE_NAMES,
    RADIUS_RANGE,
    SUBJECT_NAMES,
    BlurOptions,
    parse_radius,
)
from blur.imaging.encode.formats import OUTPUT_FORMATS, QUALITIES
from blur.imaging.roi import parse_roi
from blur.parameter_errors import (
    InvalidBlurError,
    InvalidDepthError,
    InvalidFormatError,
    InvalidModeError,
    InvalidQualityError,
    InvalidRadiusError,
    InvalidRoiError,
    InvalidSubjectError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from blur.api.multipart import Form
    from blur.api.request import HttpRequest
    from blur.errors import ApiError
    from blur.imaging.roi import Roi
    from blur.parameter_errors import InvalidParameterError

    GetUpload = Callable[[str], bytes]

_MAX_DIGITS = 15
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,255}")


def parse_blur_request(
    request: HttpRequest, *, max_body_bytes: int, get_upload: GetUpload | None = None
) -> BlurForm:
    """Return the parsed form of a blur request; the photo is not loaded yet.

    `get_upload` returns the photo for an upload id; without it, an `upload_id` is rejected. The
    method `load` of the result calls `get_upload`, and raises `UploadNotFoundError` if the API key
    has no upload with this id.

    Raises:
        ImageTooLargeError: the body has more than `max_body_bytes`.
        InvalidRequestError: the body is not a valid form, or does not have exactly one of
            `image` and `upload_id`.
        InvalidParameterError: a field is missing, repeated or not valid.
        InvalidIdempotencyKeyError: the header is not 1 to 255 visible ASCII characters.

    """
    offers_uploads = get_upload is not None
    body = bounded_body(request, max_body_bytes, offers_uploads=offers_uploads)
    form = parse_form(request.headers.get("content-type", ""), body)
    options = parse_blur_options(form, preferred_format(request.headers.get("accept", "")))
    require_valid_idempotency_key(request)
    return BlurForm(options, _image(form, get_upload))


def parse_blur_options(form: Form, preferred: str = DEFAULT) -> BlurOptions:
    """Return the blur options; `preferred` is the output format if the form has no field `format`.

    Raises:
        InvalidParameterError: a field is missing, repeated or not valid.

    """
    return BlurOptions(
        **_radius(form),
        kernel=_choice(form, "blur", KERNEL_NAMES, "gaussian", InvalidBlurError),
        depth=_choice(form, "depth", DEPTHS, "flat", InvalidDepthError),
        roi=_roi(form),
        subject=_choice(form, "subject", SUBJECT_NAMES, "auto", InvalidSubjectError),
        mode=_choice(form, "mode", MODE_NAMES, "background", InvalidModeError),
        output=_choice(form, "format", OUTPUT_FORMATS, preferred, InvalidFormatError),
        quality=_number(form, "quality", QUALITIES, InvalidQualityError, DEFAULT_QUALITY),
    )


def idempotency_key(request: HttpRequest) -> IdempotencyKey | None:
    """Return the key in the `Idempotency-Key` header; None if it is missing or not valid."""
    value = request.headers.get("idempotency-key", "")
    return IdempotencyKey(value) if _VISIBLE_ASCII.fullmatch(value) else None


def require_valid_idempotency_key(request: HttpRequest) -> None:
    """Reject an `Idempotency-Key` header that is not valid; accept a request without this header.

    Raises:
        InvalidIdempotencyKeyError: the header is not 1 to 255 visible ASCII characters.

    """
    if "idempotency-key" in request.headers and idempotency_key(request) is None:
        message = "The Idempotency-Key header is not valid. Send 1 to 255 visible ASCII characters."
        raise InvalidIdempotencyKeyError(message)


def bounded_body(
    request: HttpRequest, max_body_bytes: int, *, offers_uploads: bool = False
) -> bytes:
    """Return the request's body.

    Raises:
        ImageTooLargeError: the body has more than `max_body_bytes`. With `offers_uploads`, the
            message names the route for larger photos.
        InvalidRequestError: the event has a body that is not valid base64.

    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:_MAX_DIGITS]) > max_body_bytes:
        raise _too_large(max_body_bytes, offers_uploads=offers_uploads)
    body = request.body()
    if len(body) > max_body_bytes:
        raise _too_large(max_body_bytes, offers_uploads=offers_uploads)
    return body


def _too_large(max_body_bytes: int, *, offers_uploads: bool) -> ImageTooLargeError:
    hint = " Send larger photos with POST /v2/uploads." if offers_uploads else ""
    return ImageTooLargeError(f"The request has more than {max_body_bytes} bytes.{hint}")


def _image(form: Form, get_upload: GetUpload | None) -> Callable[[], bytes]:
    """Return a function that loads the photo."""
    images, upload_id = form.all("image"), _text(form, "upload_id", InvalidRequestError)
    if len(images) > 1:
        message = f"The form has {len(images)} files named 'image'. Send one."
        raise InvalidRequestError(message)
    if images and upload_id is not None:
        message = "The form has both 'image' and 'upload_id'. Send only one of them."
        raise InvalidRequestError(message)
    if images:
        return partial(bytes, images[0])
    if get_upload is None:
        message = (
            "The form has no file named 'image'."
            if upload_id is None
            else "This service does not accept 'upload_id'. Send the photo as the file 'image'."
        )
        raise InvalidRequestError(message)
    if upload_id is None:
        message = "The form has no file named 'image' and no 'upload_id'. Send one of them."
        raise InvalidRequestError(message)
    return partial(get_upload, upload_id)


def _radius(form: Form) -> Mapping[str, Any]:
    """Return the radius as an argument of `BlurOptions`: `radius_px` or `radius_percent`."""
    text = _text(form, "radius", InvalidRadiusError)
    radius = parse_radius(text or "")
    if radius is None:
        problem = "is missing" if text is None else "is not valid"
        message = f"The field 'radius' {problem}. Send {RADIUS_RANGE}."
        raise InvalidRadiusError(message)
    return radius


def _roi(form: Form) -> Roi | None:
    text = _text(form, "roi", InvalidRoiError)
    return None if text is None else parse_roi(text)


def _number(
    form: Form,
    name: str,
    allowed: range,
    error: type[InvalidParameterError],
    default: int,
) -> int:
    text = _text(form, name, error)
    if text is None:
        return default
    if _WHOLE_NUMBER.fullmatch(text) and int(text) in allowed:
        return int(text)
    bounds = f"from {allowed.start} to {allowed.stop - 1}"
    message = f"The field '{name}' is not valid. Send a whole number {bounds}."
    raise error(message)


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
        message = f"The field '{name}' is not valid. Send one of: {', '.join(choices)}."
        raise error(message)
    return text


def _text(form: Form, name: str, error: type[ApiError]) -> str | None:
    values = form.all(name)
    if len(values) > 1:
        message = f"The field '{name}' was sent {len(values)} times. Send it once."
        raise error(message)
    # Bytes that are not UTF-8 become replacement characters, which no valid value contains.
    return values[0].decode(errors="replace").strip() if values else None

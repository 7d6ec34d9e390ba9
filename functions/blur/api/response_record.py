"""The record of one response, for its log line and its metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from blur.credits import credits_number

if TYPE_CHECKING:
    from blur.api.request import HttpRequest
    from blur.credits import Credits
    from blur.measurements import Measurements

PIXELS_PER_MEGAPIXEL = 1_000_000
_FORMATS = ("image/", "application/zip")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseRecord:
    """The data recorded for one response, without secrets: no key, URL, image or file name."""

    request_id: str
    method: str
    path: str
    """A route, or `log_values.UNROUTED`."""
    status: int
    duration_ms: int
    code: str | None = None
    """The error's code."""
    account: str | None = None
    """The account's id, if the account's status is known."""
    key_prefix: str | None = None
    """The first part of a valid key, by which people identify the key."""
    credits: Credits | None = None
    """The credits charged; None if they are unknown."""
    steps_ms: Mapping[str, float] = field(default_factory=dict)
    """The time of each step; for a failed call, the steps up to its error."""
    bytes_in: int = 0
    """The size of the request's body."""
    bytes_out: int = 0
    """The size of the response's body."""
    format: str | None = None
    """The format of the image in the response, such as `png`."""
    photo_pixels: int = 0
    """Width times height of the photo that was sent; 0 if the call failed or had no photo."""
    is_cold: bool = False
    """Whether this is the first response of its process."""

    @property
    def megapixels(self) -> float:
        """The size of the photo that was sent, in megapixels."""
        return self.photo_pixels / PIXELS_PER_MEGAPIXEL

    def log_fields(self) -> dict[str, Any]:
        """Return the fields of the log line; fields without a value are left out."""
        optional = {
            "code": self.code,
            "account": self.account,
            "key_prefix": self.key_prefix,
            "credits": None if self.credits is None else credits_number(self.credits),
            "steps_ms": {name: round(ms, 1) for name, ms in self.steps_ms.items()} or None,
            "bytes_in": self.bytes_in or None,
            "format": self.format,
            "megapixels": round(self.megapixels, 3) or None,
            "cold_start": self.is_cold or None,
        }
        return {
            "request_id": self.request_id,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "duration_ms": self.duration_ms,
            "bytes_out": self.bytes_out,
            **{name: value for name, value in optional.items() if value is not None},
        }


Observe = Callable[[ResponseRecord], None]
"""A function that receives the record of each response."""


def measured_fields(measured: Measurements) -> dict[str, Any]:
    """Return the fields of a record that come from a request's measurements."""
    fields: dict[str, Any] = {
        "steps_ms": measured.steps_ms(),
        "photo_pixels": measured.photo_pixels,
    }
    if measured.key and measured.status:
        fields["account"] = measured.key.account_id
        fields["key_prefix"] = measured.key.prefix
        fields["credits"] = measured.status.credits_charged
    return fields


def transferred_fields(request: HttpRequest, reply: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a record that come from a proxy event and its proxy response."""
    body = reply.get("body") or ""
    is_base64 = bool(reply.get("isBase64Encoded"))
    content_type = (reply.get("multiValueHeaders") or {}).get("Content-Type", [""])[0]
    is_image = is_base64 and reply["statusCode"] == HTTPStatus.OK
    return {
        "bytes_in": decoded_size(request.raw_body, is_base64=request.is_base64),
        "bytes_out": decoded_size(body, is_base64=is_base64),
        "format": image_format(content_type) if is_image else None,
    }


def image_format(content_type: str) -> str | None:
    """Return the format of an image or ZIP archive from its media type; None for other types."""
    if not content_type.startswith(_FORMATS):
        return None
    return content_type.partition("/")[2].partition(";")[0]


def decoded_size(text: str, *, is_base64: bool) -> int:
    """Return the number of bytes of a body in an event, without decoding the body."""
    if not is_base64:
        return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
    return len(text) // 4 * 3 - text[-2:].count("=")

"""Builds requests of remove.bg's clients, and reads the image or the error of a response."""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from events import make
from PIL import Image

from blur.api.removebg.paths import REMOVEBG_PATH

if TYPE_CHECKING:
    from .conftest import ApiResponse

PHOTO = make.jpeg()
PHOTO_B64 = base64.b64encode(PHOTO).decode("ascii")


def with_body(content_type: str, body: bytes, accept: str = "*/*") -> dict[str, Any]:
    """Return the event for a request with this body, as a client of remove.bg sends it."""
    event = make.event("POST", REMOVEBG_PATH, key=make.FUNDED, accept=accept)
    event["multiValueHeaders"]["Content-Type"] = [content_type]
    event["headers"]["Content-Type"] = content_type
    return {**event, "body": base64.b64encode(body).decode("ascii"), "isBase64Encoded": True}


def with_json(accept: str = "*/*", **fields: object) -> dict[str, Any]:
    return with_body("application/json", json.dumps(fields).encode(), accept)


def with_form(**fields: str) -> dict[str, Any]:
    return with_body("application/x-www-form-urlencoded", urlencode(fields).encode())


def image_of(response: ApiResponse) -> Image.Image:
    assert response.status == 200, response.raw
    image = Image.open(io.BytesIO(response.body))
    image.load()
    return image


def error_of(response: ApiResponse) -> dict[str, str]:
    (error,) = json.loads(response.body)["errors"]
    assert all(isinstance(value, str) for value in error.values())
    assert response.headers["x-credits-charged"] == "0"
    found: dict[str, str] = error
    return found

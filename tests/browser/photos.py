"""Photos, screens and responses for tests of the page."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any

from events import make
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import FilePayload, Route


BLUR = "**/v2/rembg/blur/"


SCREENS = [(360, 780), (768, 1024), (1366, 657), (1440, 900)]


def picture(file_format: str = "JPEG", size: tuple[int, int] = (192, 192)) -> bytes:
    buffer = io.BytesIO()
    with Image.open(make.PHOTO) as photo:
        photo.convert("RGB").resize(size).save(buffer, file_format)
    return buffer.getvalue()


def files(*names: str, data: bytes | None = None) -> list[FilePayload]:
    buffer = picture() if data is None else data
    return [{"name": name, "mimeType": "image/jpeg", "buffer": buffer} for name in names]


def answered(route: Route, **answer: Any) -> None:  # noqa: ANN401 - any arguments of Playwright's `fulfill`
    route.fulfill(**answer)


def limited(code: str = "rate_limit_exceeded", seconds: int = 2, status: int = 429) -> Any:  # noqa: ANN401 - Playwright has no name for the type of a handler
    error = {"code": code, "message": "Too many.", "request_id": "req_1", "retry_after": seconds}
    headers = {"X-Credits-Charged": "0", "Retry-After": str(seconds)}
    return partial(answered, status=status, headers=headers, json={"error": error})

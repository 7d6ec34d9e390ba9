"""The route of the API description, `openapi.json`.

`make openapi` writes `openapi.json` from `openapi.yaml`, so the function needs no YAML parser.
`openapi.json` is read when it is requested for the first time, not in the cold start.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from blur.api.headers import CORS_HEADERS
from blur.api.site import entity_tag, tagged

if TYPE_CHECKING:
    from blur.api.request import HttpRequest
    from blur.api.router import HttpResponse

FILE = Path(__file__).with_name("openapi.json")


def description(request: HttpRequest) -> HttpResponse:
    """Return the API description, which pages of any origin can read."""
    data = _read()
    headers = {**CORS_HEADERS, "Cache-Control": "no-cache"}
    return tagged(data, entity_tag(data), "application/json", headers, request)


@cache
def _read() -> bytes:
    return FILE.read_bytes()

"""The API's description, `openapi.json`, as a route.

It is `openapi.yaml` in another notation, written by `make openapi`: the function needs no
reader of YAML, and a call that does not ask for it does not wait for it either.
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
    """Answer with the description; any page may read it."""
    data = _read()
    headers = {**CORS_HEADERS, "Cache-Control": "no-cache"}
    return tagged(data, entity_tag(data), "application/json", headers, request)


@cache
def _read() -> bytes:
    return FILE.read_bytes()

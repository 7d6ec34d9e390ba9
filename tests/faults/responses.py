"""The outcomes that a client can get during a fault: a documented response, or no response.

Anything else fails the test: an invalid image, an error in another format, internal details.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from bgblur.serving.proxy_events import to_reply
from blur.credits import ZERO, Credits, parse_credits
from blur.errors import ApiError

PICTURE = "picture"
BROKEN = "broken"
"""The client got no complete response, because the connection was closed."""

INSIDE = re.compile(
    r"traceback|sqlite|boto|dynamo|errno|bucket|127\.0\.0\.1|localhost|\.(py|db)\b|error\b|0x",
    re.IGNORECASE,
)
"""Internal details that an error message must not contain."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one request."""

    kind: str
    """`PICTURE`, `BROKEN` or the error's code."""
    charged: Credits = ZERO
    seconds: float = 0.0


def outcome(status: int, headers: Mapping[str, str], body: bytes, seconds: float = 0.0) -> Outcome:
    """Parse a response of `POST /v2/rembg/blur` and check it against the API's documentation."""
    named = {name.lower(): value for name, value in headers.items()}
    # The charge is unknown if a worker died during the call, or if the store did not confirm it.
    is_unknown = status in {200, 303, 500} and "x-credits-charged" not in named
    charged = ZERO if is_unknown else parse_credits(named["x-credits-charged"])
    if status in {200, 303}:
        _require_picture(status, named, body)
        return Outcome(PICTURE, charged, seconds)
    error = json.loads(body)["error"]
    assert charged == 0
    return Outcome(require_error(status, named, error), charged, seconds)


def from_proxy(response: Mapping[str, Any], seconds: float = 0.0) -> Outcome:
    """Parse the handler's response, as `outcome` does for a server's response."""
    status, pairs, body, _ = to_reply(response)
    headers = {name.decode(): value.decode() for name, value in pairs}
    return outcome(status, headers, body, seconds)


def require_error(status: int, headers: Mapping[str, str], error: Mapping[str, Any]) -> str:
    """Check a documented error and return its code; the names of headers are lower case."""
    code: str = error["code"]
    assert STATUSES[code] == status
    assert set(error) <= {"code", "message", "request_id", "retry_after"}
    assert error["request_id"] == headers["x-request-id"]
    assert headers.get("retry-after") == (
        str(error["retry_after"]) if "retry_after" in error else None
    )
    assert not INSIDE.search(error["message"]), error["message"]
    return code


def _require_picture(status: int, headers: Mapping[str, str], body: bytes) -> None:
    if status == 303:
        assert json.loads(body)["url"] == headers["location"]
        return
    with Image.open(io.BytesIO(body)) as picture:
        picture.load()


def _leaves(kind: type[ApiError]) -> Iterable[type[ApiError]]:
    for leaf in kind.__subclasses__():
        yield leaf
        yield from _leaves(leaf)


STATUSES = {leaf.code: leaf.status for leaf in _leaves(ApiError) if hasattr(leaf, "code")}

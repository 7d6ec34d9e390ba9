"""The target of attacks: the handler, with a real store and accounts with many credits."""

from __future__ import annotations

import base64
import io
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from events import make
from tests.contract.conftest import FREQUENT, SITE, ApiResponse, add_account
from tests.trials import FULL

from bgblur.serving.proxy_events import InvocationContext
from blur.accounts.sqlite.account_store import SqliteAccountStore
from blur.api.removebg.errors import ROWS
from blur.app import build_app
from blur.clock import now
from blur.errors import ApiError
from blur.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CREDITS = 10**9
SUCCESS = {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT, HTTPStatus.SEE_OTHER}
UNFIT = set("\r\n\0")
"""Characters that no header value can contain (RFC 9110, 5.5)."""


def quick_networks(patch: pytest.MonkeyPatch) -> None:
    """Run each neural network once for each input in this process, except at full size.

    Many attacks contain the same photo, and an inference takes longer than the rest of the call.
    """
    if FULL:
        return
    from tests.networks import open_session  # noqa: PLC0415 - loads onnxruntime, which few attacks need

    patch.setattr("onnxruntime.InferenceSession", open_session)


class Target:
    """The handler, as a function that takes an event and returns the response."""

    def __init__(self, folder: Path, model_dir: Path) -> None:
        """Create two accounts with many credits in `folder`, and build the handler."""
        store = SqliteAccountStore(folder / "accounts.db")
        for key in (make.FUNDED, make.TEST):
            add_account(store, key, CREDITS, FREQUENT, now())
        store.close()
        settings = Settings(
            accounts=f"sqlite:{folder / 'accounts.db'}",
            media=f"folder:{folder / 'media'}",
            model_dir=model_dir,
            inference_threads=1,
            site_dir=SITE,
        )
        self.log = io.StringIO()
        logger = Logger(service=f"attack-{folder.name}", stream=self.log)
        self._handler = build_app(settings, logger=logger)

    def __call__(self, event: dict[str, Any]) -> ApiResponse:
        """Return the response, and clear the log of the previous call."""
        self.log.seek(0)
        self.log.truncate()
        return ApiResponse(self._handler(event, InvocationContext()))


def blur(image: bytes, **fields: str) -> dict[str, Any]:
    """Return the event of a request to blur this file; the file can be empty."""
    form = {"image": ("photo", image, "image/jpeg"), "radius": "12", **fields}
    return make.event("POST", "/v2/rembg/blur/", key=make.FUNDED, form=form)


def form_event(body: bytes, content_type: str) -> dict[str, Any]:
    """Return an event for the blur route with this body and content type."""
    event = make.event("POST", "/v2/rembg/blur/", key=make.FUNDED)
    event["headers"]["Content-Type"] = content_type
    event["multiValueHeaders"]["Content-Type"] = [content_type]
    return event | {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


def outcome_of(response: ApiResponse) -> str:
    """Return the status of a documented response and, for an error, its code.

    Raises:
        AssertionError: the response is not documented, or is an internal error.

    """
    header_texts = [*response.headers, *response.headers.values()]
    assert not any(UNFIT & set(text) for text in header_texts), header_texts
    assert "x-request-id" in response.headers
    if response.status in SUCCESS or response.status == HTTPStatus.PERMANENT_REDIRECT:
        return str(response.status)
    if not response.body and "content-length" in response.headers:
        return str(response.status)  # the response to HEAD
    error = json.loads(response.body)
    if "errors" in error:
        return _removebg_outcome(response.status, error)
    assert error.keys() == {"error"}
    assert {"code", "message", "request_id"} <= error["error"].keys()
    code: str = error["error"]["code"]
    assert (response.status, code) in CODES, (response.status, code)
    return f"{response.status} {code}"


def _removebg_outcome(status: int, document: dict[str, Any]) -> str:
    """Check an error in remove.bg's format, and return its status and code as text."""
    (error,) = document["errors"]
    assert document.keys() == {"errors"}
    assert {"title", "code"} <= error.keys() <= {"title", "code", "detail"}
    assert all(isinstance(value, str) for value in error.values())
    assert (status, error["code"]) in REMOVEBG_CODES, (status, error)
    return f"{status} {error['code']}"


def _codes() -> set[tuple[int, str]]:
    found, classes = set(), [ApiError]
    while classes:
        kind = classes.pop()
        classes += kind.__subclasses__()
        if hasattr(kind, "code"):
            found.add((int(kind.status), kind.code))
    return {(status, code) for status, code in found if status < HTTPStatus.INTERNAL_SERVER_ERROR}


CODES = _codes()
"""Status and code of every documented error with a status below 500."""
REMOVEBG_CODES = {
    (int(row.status), row.code)
    for row in ROWS.values()
    if row.status < HTTPStatus.INTERNAL_SERVER_ERROR
}
"""Status and code of every documented error below 500 on `/v1.0`, the paths of remove.bg's API."""

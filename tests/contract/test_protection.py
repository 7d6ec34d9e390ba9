"""Every response has headers that prevent misuse by browsers and caches."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from events import make

from blur.api.site import ASSETS, FRESH_S, PAGES

from .conftest import EVENTS

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import ApiResponse, Call

CALLS = sorted(EVENTS.glob("*.json"))
HEADERS_THAT_NAME_SOFTWARE = {"server", "x-powered-by", "via", "x-aspnet-version"}


def get(path: str, **headers: str) -> dict[str, Any]:
    event = make.event("GET", path)
    event["requestContext"]["path"] = path
    event["headers"] |= {"Accept": "text/html", **headers}
    return event


def require_protected(response: ApiResponse) -> None:
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-request-id"].startswith("req_")
    assert not HEADERS_THAT_NAME_SOFTWARE & set(response.headers)
    # Without cookies, another site cannot send requests on behalf of a visitor.
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("file", CALLS, ids=lambda file: file.stem)
def test_api_responses_have_security_headers_and_cannot_be_cached(file: Path, call: Call) -> None:
    response = call(json.loads(file.read_text()))
    assert response.status == int(file.stem[:3])
    require_protected(response)
    assert response.headers["cache-control"] == "no-store"


def test_an_internal_error_cannot_be_cached(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("blur.imaging.matting.session.Model.predict")
    response = call(make.blur())
    assert response.status == 500
    require_protected(response)
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_cannot_be_shown_in_a_frame_and_sends_no_referrer(path: str, call: Call) -> None:
    response = call(get(path))
    require_protected(response)
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cross-origin-opener-policy"] == "same-origin"
    assert response.headers["cache-control"] == "no-cache"
    again = call(get(path, **{"If-None-Match": response.headers["etag"]}))
    assert again.status == 304
    require_protected(again)


@pytest.mark.parametrize("name", ASSETS)
def test_files_of_the_page_have_security_headers_and_can_be_cached(name: str, call: Call) -> None:
    response = call(get(f"/{name}"))
    require_protected(response)
    assert response.headers["cache-control"] == f"public, max-age={FRESH_S}"


def test_redirect_to_a_page_has_security_headers(call: Call) -> None:
    event = get("/")
    event["requestContext"]["path"] = "/prod"
    response = call(event)
    assert response.status == 308
    require_protected(response)

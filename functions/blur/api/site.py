"""The page and the reference: the files of `site/`, each with an entity tag and a strict policy.

Only what is in the table is served, so no path of a client's ever reaches the file system. A
file is read when it is first asked for: the cold start of an API call waits for none of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from blur.api.headers import NOSNIFF

if TYPE_CHECKING:
    from pathlib import Path

    from blur.api.request import HttpRequest
    from blur.api.router import HttpResponse, Route, Routes

HTML, TEXT = "text/html; charset=utf-8", "text/plain; charset=utf-8"
SCRIPT, STYLE = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
PAGES = {"/": "index.html", "/docs": "docs.html"}
PLAIN = "index.txt"
"""What `/` says to a client that does not ask for HTML, such as curl."""
PREVIEW = "preview.jpg"
"""The picture of a link preview (`og:image`)."""
ASSETS = {
    "icon.svg": "image/svg+xml",
    "favicon.ico": "image/x-icon",
    "touch-icon.png": "image/png",
    PREVIEW: "image/jpeg",
    "sample.jpg": "image/jpeg",
    "sample-blurred.jpg": "image/jpeg",
    "style.css": STYLE,
    "docs.css": STYLE,
    "app.js": SCRIPT,
    "account.js": SCRIPT,
    "calls.js": SCRIPT,
    "code.js": SCRIPT,
    "dom.js": SCRIPT,
    "errors.js": SCRIPT,
    "failure.js": SCRIPT,
    "labels.js": SCRIPT,
    "photo.js": SCRIPT,
    "queue.js": SCRIPT,
    "result.js": SCRIPT,
    "settings.js": SCRIPT,
    "stage.js": SCRIPT,
    "zip.js": SCRIPT,
    "docs.js": SCRIPT,
    "try.js": SCRIPT,
    "guides.json": "application/json",
}
FRESH_S = 300
"""How long a browser takes an asset without asking again: on Lambda, asking costs a call."""


@dataclass(frozen=True, slots=True)
class Site:
    """A folder with every file that is named above."""

    folder: Path
    storage_origin: Callable[[], str]
    """Where uploads go and large results lie, if not here; else the empty text."""
    public_url: str = ""
    """Where visitors reach the page; link previews need the address of their picture whole."""
    price: int = 1
    """Credits for one result, which the page names before a call."""
    _read: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def routes(self) -> Routes:
        """Return a route for each page and each asset; none of them needs a key or a store."""
        pages = {path: {"GET": self._page(path, name)} for path, name in PAGES.items()}
        return pages | {f"/{name}": {"GET": self._asset(name)} for name in ASSETS}

    def _page(self, path: str, name: str) -> Route:
        def page(request: HttpRequest) -> HttpResponse:
            if elsewhere := canonical(request.public_path, is_root=path == "/"):
                return _moved(elsewhere, request.request_id)
            wants_html = "html" in request.headers.get("accept", "").lower()
            shown, kind = (PLAIN, TEXT) if path == "/" and not wants_html else (name, HTML)
            headers = page_headers(self.storage_origin()) | {
                "Cache-Control": "no-cache",
                "Vary": "Accept",
            }
            return self._answer(shown, kind, headers, request)

        return page

    def _asset(self, name: str) -> Route:
        def asset(request: HttpRequest) -> HttpResponse:
            headers = {"Cache-Control": f"public, max-age={FRESH_S}"}
            return self._answer(name, ASSETS[name], headers, request)

        return asset

    def _answer(
        self, name: str, content_type: str, headers: Mapping[str, str], request: HttpRequest
    ) -> HttpResponse:
        data, tag = self._file(name)
        return tagged(data, tag, content_type, headers, request)

    def _file(self, name: str) -> tuple[bytes, str]:
        if name not in self._read:
            data = (self.folder / name).read_bytes()
            if name in PAGES.values():
                data = self._filled_in(data)
            self._read[name] = data, entity_tag(data)
        return self._read[name]

    def _filled_in(self, page: bytes) -> bytes:
        page = page.replace(
            b'name="price" content="1"', f'name="price" content="{self.price}"'.encode()
        )
        picture = f"{self.public_url}/{PREVIEW}" if self.public_url else PREVIEW
        return page.replace(f'content="{PREVIEW}"'.encode(), f'content="{picture}"'.encode())


def entity_tag(data: bytes) -> str:
    """Return a strong entity tag (RFC 9110, 8.8.3): the same bytes, the same tag."""
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def tagged(
    data: bytes, tag: str, content_type: str, headers: Mapping[str, str], request: HttpRequest
) -> HttpResponse:
    """Answer with the bytes, or with 304 Not Modified to a client that has them already.

    Text goes into the event as text, since not every gateway turns base64 back into it.
    """
    told = {
        **headers,
        "ETag": tag,
        "X-Request-Id": request.request_id,
    }
    known = request.headers.get("if-none-match", "")
    if tag in {each.strip().removeprefix("W/") for each in known.split(",")}:
        return _response(HTTPStatus.NOT_MODIFIED, None, "", told)
    is_text = content_type in {HTML, TEXT, SCRIPT, STYLE, "image/svg+xml", "application/json"}
    body = data.decode() if is_text else data
    return _response(HTTPStatus.OK, content_type, body, told)


def page_headers(storage_origin: str) -> dict[str, str]:
    """Return what keeps a page to itself: no script, style or request from anywhere else.

    `storage_origin` is the one other place that it may talk to. Trusted Types close the ways by
    which a text could become markup: https://www.w3.org/TR/trusted-types/
    """
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob:",
        "connect-src": f"'self' {storage_origin}".rstrip(),
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {told}" for name, told in policy.items()),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
    }


def canonical(public_path: str, *, is_root: bool) -> str | None:
    """Return where a page's relative links work, relative to where it was asked for.

    A stage is part of the path that the browser shows: `/prod` has to become `/prod/`, and
    `/prod/docs/` `/prod/docs`. None where it is right as it is.
    """
    if public_path.endswith("/") == is_root:
        return None
    name = public_path.rstrip("/").rpartition("/")[2]
    return f"./{name}/" if is_root else f"../{name}"


def _moved(location: str, request_id: str) -> HttpResponse:
    headers = {"Location": location, "X-Request-Id": request_id, "Cache-Control": "no-store"}
    return _response(HTTPStatus.PERMANENT_REDIRECT, None, "", headers)


def _response(
    status: HTTPStatus, content_type: str | None, body: str | bytes, headers: Mapping[str, str]
) -> HttpResponse:
    told: dict[str, Any] = {**headers, **NOSNIFF}
    return Response(status.value, content_type, body, told)

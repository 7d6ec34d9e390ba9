"""The page and the reference: the files of `site/`, with entity tags and security headers.

Only the files in `PAGES`, `PLAIN` and `ASSETS` are served, so a client's path never reaches the
file system. A file is read at its first request, not in the cold start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from blur.api.headers import NOSNIFF
from blur.credits import ONE, Credits, format_credits

if TYPE_CHECKING:
    from pathlib import Path

    from blur.api.request import HttpRequest
    from blur.api.router import HttpResponse, Route, Routes

HTML, TEXT = "text/html; charset=utf-8", "text/plain; charset=utf-8"
SCRIPT, STYLE = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
PAGES = {"/": "index.html", "/docs": "docs.html"}
PLAIN = "index.txt"
"""The file at `/` for clients that do not accept HTML, such as curl."""
PREVIEW = "preview.jpg"
"""The file with the image of a link preview (`og:image`)."""
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
    "add-photos.js": SCRIPT,
    "calls.js": SCRIPT,
    "code.js": SCRIPT,
    "dom.js": SCRIPT,
    "errors.js": SCRIPT,
    "failure.js": SCRIPT,
    "folder.js": SCRIPT,
    "job.js": SCRIPT,
    "job-calls.js": SCRIPT,
    "job-download.js": SCRIPT,
    "job-view.js": SCRIPT,
    "labels.js": SCRIPT,
    "photo-list.js": SCRIPT,
    "saved-job.js": SCRIPT,
    "result.js": SCRIPT,
    "region.js": SCRIPT,
    "settings.js": SCRIPT,
    "stage.js": SCRIPT,
    "zip.js": SCRIPT,
    "docs.js": SCRIPT,
    "docs-try.js": SCRIPT,
    "guides.json": "application/json",
}
FRESH_S = 300
"""The number of seconds for which a browser uses an asset without a new request, because a request
invokes the Lambda function."""


@dataclass(frozen=True, slots=True)
class Site:
    """Serves the files of a folder that `PAGES`, `PLAIN` and `ASSETS` name, and no other files."""

    folder: Path
    storage_origin: Callable[[], str]
    """Returns the origin of the server that stores uploads and large results, or an empty text if
    this server stores them."""
    public_url: str = ""
    """The page's public URL, if it is known: link previews need an absolute URL of their image."""
    price: Credits = ONE
    """The price of one result; the page shows it before a call."""
    person_price: Credits = ONE
    """The price of a result with `subject=person`."""
    has_jobs: bool = False
    """Whether this service has bulk jobs; the page then accepts folders."""
    _read: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def routes(self) -> Routes:
        """Return a route for each page and asset; the routes need neither a key nor a store."""
        pages = {path: {"GET": self._page(path, name)} for path, name in PAGES.items()}
        return pages | {f"/{name}": {"GET": self._asset(name)} for name in ASSETS}

    def _page(self, path: str, name: str) -> Route:
        def page(request: HttpRequest) -> HttpResponse:
            if location := canonical(request.public_path, is_root=path == "/"):
                return _redirect(location, request.request_id)
            prefers_html = "html" in request.headers.get("accept", "").lower()
            file, content_type = (PLAIN, TEXT) if path == "/" and not prefers_html else (name, HTML)
            headers = page_headers(self.storage_origin()) | {
                "Cache-Control": "no-cache",
                "Vary": "Accept",
            }
            return self._respond(file, content_type, headers, request)

        return page

    def _asset(self, name: str) -> Route:
        def asset(request: HttpRequest) -> HttpResponse:
            headers = {"Cache-Control": f"public, max-age={FRESH_S}"}
            return self._respond(name, ASSETS[name], headers, request)

        return asset

    def _respond(
        self, name: str, content_type: str, headers: Mapping[str, str], request: HttpRequest
    ) -> HttpResponse:
        data, tag = self._file(name)
        return tagged(data, tag, content_type, headers, request)

    def _file(self, name: str) -> tuple[bytes, str]:
        if name not in self._read:
            data = (self.folder / name).read_bytes()
            if name in PAGES.values():
                data = self._with_settings(data)
            self._read[name] = data, entity_tag(data)
        return self._read[name]

    def _with_settings(self, page: bytes) -> bytes:
        for name, price in (("price", self.price), ("person-price", self.person_price)):
            shown = f'name="{name}" content="{format_credits(price)}"'
            page = page.replace(f'name="{name}" content="1"'.encode(), shown.encode())
        if not self.has_jobs:
            page = page.replace(b'name="jobs" content="yes"', b'name="jobs" content="no"')
        picture = f"{self.public_url}/{PREVIEW}" if self.public_url else PREVIEW
        return page.replace(f'content="{PREVIEW}"'.encode(), f'content="{picture}"'.encode())


def entity_tag(data: bytes) -> str:
    """Return a strong entity tag (RFC 9110, 8.8.3), a digest of the content."""
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def tagged(
    data: bytes, tag: str, content_type: str, headers: Mapping[str, str], request: HttpRequest
) -> HttpResponse:
    """Return the content, or 304 Not Modified if the client already has it.

    Text is not encoded in base64, because not every gateway decodes base64.
    """
    headers = {
        **headers,
        "ETag": tag,
        "X-Request-Id": request.request_id,
    }
    known = request.headers.get("if-none-match", "")
    if tag in {each.strip().removeprefix("W/") for each in known.split(",")}:
        return _response(HTTPStatus.NOT_MODIFIED, None, "", headers)
    is_text = content_type in {HTML, TEXT, SCRIPT, STYLE, "image/svg+xml", "application/json"}
    body = data.decode() if is_text else data
    return _response(HTTPStatus.OK, content_type, body, headers)


def page_headers(storage_origin: str) -> dict[str, str]:
    """Return a page's security headers, which allow scripts and styles only from its own origin.

    The page can send requests only to its own origin and to `storage_origin`. With Trusted Types,
    browsers prevent scripts from inserting text as markup: https://www.w3.org/TR/trusted-types/
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
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
    }


def canonical(public_path: str, *, is_root: bool) -> str | None:
    """Return the relative URL to redirect to, or None if the page's relative links already work.

    The links of `/` need a slash at the end of the path, and those of `/docs` need no slash. The
    path in the browser includes the stage: `/prod` is redirected to `/prod/`, and `/prod/docs/` to
    `/prod/docs`.
    """
    if public_path.endswith("/") == is_root:
        return None
    name = public_path.rstrip("/").rpartition("/")[2]
    return f"./{name}/" if is_root else f"../{name}"


def _redirect(location: str, request_id: str) -> HttpResponse:
    headers = {"Location": location, "X-Request-Id": request_id, "Cache-Control": "no-store"}
    return _response(HTTPStatus.PERMANENT_REDIRECT, None, "", headers)


def _response(
    status: HTTPStatus, content_type: str | None, body: str | bytes, headers: Mapping[str, str]
) -> HttpResponse:
    all_headers: dict[str, Any] = {**headers, **NOSNIFF}
    return Response(status.value, content_type, body, all_headers)

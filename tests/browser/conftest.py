"""Fixtures for browser tests: Chromium, the service's page, and a page of another origin."""

from __future__ import annotations

import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, sync_playwright
from tests.browser.photos import SCREENS, picture
from tests.browser.visit import Visit
from tests.integration.storage.conftest import Api, by_link, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["by_link"]

WIDTHS = [360, 1440]
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
CHROMIUM_OPTIONS = [
    "--no-sandbox",  # the sandbox does not run as root; only our own pages are opened
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class BlankPage(BaseHTTPRequestHandler):
    """Responds to every GET with an empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>another origin</title>")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="session")
def other_origin() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), BlankPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def chromium_path() -> str | None:
    """Return the path of Debian's headless Chromium or of Chromium; None if both are missing."""
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = chromium_path()
    assert path, "Chromium is missing: `make browser` installs it on Debian"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def page(chromium: Browser, other_origin: str) -> Page:
    page = chromium.new_page()
    page.goto(other_origin)
    return page


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("served")
    yield from serve(folder, model_dir, BLUR_MEDIA=f"folder:{folder / 'media'}")


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """Return a browser context without animations.

    Drawing the animations while the server blurs takes more CPU time than everything else.
    """
    context = chromium.new_context(viewport=DESKTOP, reduced_motion="reduce")
    yield context
    context.close()


@pytest.fixture
def animated(chromium: Browser, served: Api) -> Iterator[Visit]:
    """Return the service's page with its animations, opened without a key."""
    context = chromium.new_context(viewport=DESKTOP)
    yield Visit.started(context, served)
    context.close()


@pytest.fixture
def visit(context: BrowserContext, served: Api) -> Visit:
    """Return the service's page, opened without a key."""
    return Visit.started(context, served)


@pytest.fixture(params=SCREENS, ids=lambda screen: f"{screen[0]}x{screen[1]}")
def sized(request: pytest.FixtureRequest, chromium: Browser, served: Api) -> Iterator[Visit]:
    """Open the page in a window; each test runs once for each size in `SCREENS`."""
    width, height = request.param
    size: ViewportSize = {"width": width, "height": height}
    context = chromium.new_context(viewport=size, reduced_motion="reduce")
    yield Visit.started(context, served)
    context.close()


@pytest.fixture(params=WIDTHS, ids=lambda width: f"{width}px")
def screen(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[BrowserContext]:
    """Return a browser context in which the security policy does not block the checker axe.

    The page has no animations, so that axe always finds the same colours and places.
    """
    context = chromium.new_context(
        viewport={"width": request.param, "height": 800},
        color_scheme="light",
        reduced_motion="reduce",
        bypass_csp=True,
    )
    yield context
    context.close()


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Return a folder with four photos, a broken photo, and files that are not photos."""
    folder = tmp_path / "summer"
    for name in ("a.jpg", "b.png", "sub/a.jpg", "sub/ä b.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture())
    (folder / "broken.jpg").write_bytes(b"this is not an image")
    (folder / "notes.txt").write_bytes(b"text")
    (folder / ".hidden.jpg").write_bytes(picture())
    return folder

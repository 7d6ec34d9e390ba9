"""Use the page in a browser as a visitor does, and record the requests that the page sends."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests
from events import make
from PIL import Image
from playwright.sync_api import Error, TimeoutError  # noqa: A004 - this is not Python's TimeoutError
from tests.browser.photos import SCREENS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from playwright.sync_api import BrowserContext, FilePayload, Page, Request
    from tests.integration.storage.conftest import Api

PIXELS = """async (id) => {
  const image = document.getElementById(id);
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const pen = canvas.getContext("2d");
  pen.drawImage(image, 0, 0);
  const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
  let text = "";
  for (const value of data) text += String.fromCharCode(value);
  return [canvas.height, canvas.width, btoa(text)];
}"""
ATTEMPTS = 5
NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"
INTERRUPTED = "is interrupted by another navigation"
"""The error of a load that starts while Chromium opens its error page for an earlier load."""
TABS = 60
"""A number larger than the number of focusable elements on the page."""


@dataclass
class Visit:
    """The page in a browser, with all requests that the page has sent."""

    page: Page
    api: Api
    asked: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """The URLs of requests that got no response, each with Chromium's reason."""
    errors: list[str] = field(default_factory=list)
    network_changed: bool = False
    """Whether Chromium has ended a request of the last load because the network changed."""

    @classmethod
    def started(cls, context: BrowserContext, api: Api, path: str = "/") -> Visit:
        """Open a page of the service, and record the page's requests and errors."""
        page = context.new_page()
        visit = cls(page, api)
        page.on("request", lambda request: visit.asked.append(request.url))
        page.on("requestfailed", visit._request_failed)
        page.on("pageerror", lambda error: visit.errors.append(str(error)))
        page.on("console", visit._heard)
        # Without this line, the browser reports file choosers only after `expect_file_chooser`,
        # which is sometimes too late.
        page.on("filechooser", lambda _: None)
        visit.open(path)
        return visit

    def open(self, path: str) -> None:
        """Open a page of the service."""
        url = self.api.server.url + path
        self._load(url, partial(self.page.goto, url))

    def reload(self) -> None:
        """Reload the page."""
        self._load(self.page.url, self.page.reload)

    def _load(self, url: str, load: Callable[[], object]) -> None:
        """Load a page; if the machine's network changes during this time, load the page again.

        Chromium cancels all requests that wait for a connection, also to this machine, when an IP
        address of the machine is added or removed. A page without one of its scripts does not work.
        Docker adds an IPv6 address for each container, unless they are disabled as in `.ci/run`.
        """
        asked, failed = len(self.asked), len(self.failed)
        for _ in range(ATTEMPTS):
            self.network_changed = False
            try:
                load()
            except Error as error:
                if not any(reason in error.message for reason in (NETWORK_CHANGED, INTERRUPTED)):
                    raise
                self.network_changed = True
            if not self.network_changed:
                return
            del self.asked[asked:], self.failed[failed:]
            load = partial(self._load_again, url)
        pytest.fail(f"the network changed during {ATTEMPTS} loads of {url}")

    def _load_again(self, url: str) -> None:
        self.page.goto("about:blank")  # so that a URL that differs only after `#` is loaded
        self.page.goto(url)

    def _request_failed(self, request: Request) -> None:
        self.failed.append(f"{request.url} ({request.failure})")
        self.network_changed |= request.failure == NETWORK_CHANGED

    def _report(self) -> str:
        """Describe the page for the message of a failed test."""
        log = "\n".join(self.api.server.out.read_text("utf-8").splitlines()[-5:])
        return f"requests: {self.asked}\nfailed: {self.failed}\nerrors: {self.errors}\nlog: {log}"

    def _heard(self, message: Any) -> None:  # noqa: ANN401 - Playwright's console message
        if "Content Security Policy" in message.text or "Trusted" in message.text:
            self.errors.append(message.text)

    def use_key(self, key: str) -> None:
        """Enter a key and click the button that uses the key."""
        self.page.fill("#key", key)
        self.page.click("#key-use")

    def use_valid_key(self, key: str) -> None:
        """Use a key and wait until the page shows its prefix; if the API responds 503, repeat.

        On a busy machine, the server's database can take longer than the time limit of a call.
        """
        for _ in range(ATTEMPTS):
            try:
                with self.page.expect_response("**/v2/account") as responses:
                    self.use_key(key)
            except TimeoutError as error:
                pytest.fail(f"{error.message}\n{self._report()}")
            if responses.value.status != HTTPStatus.SERVICE_UNAVAILABLE:
                break
        self.page.wait_for_selector("#key-known:visible")

    def give(self, name: str, data: bytes, mime: str = "image/jpeg") -> None:
        """Choose a file."""
        file: FilePayload = {"name": name, "mimeType": mime, "buffer": data}
        self.page.set_input_files("#file", file)

    def blur(self) -> None:
        """Blur the photo and wait for the result."""
        self.page.click("#go")
        self.page.wait_for_selector("#progress:not(:visible)", state="attached", timeout=60_000)
        self.page.wait_for_selector("#outcome:visible")

    def rest(self) -> None:
        """Wait until the line between the photo and its result has stopped in the middle."""
        script = "() => frame.style.getPropertyValue('--split') === '50%'"
        while not self.page.evaluate(script):
            self.page.wait_for_timeout(50)

    def in_view(self, selector: str) -> bool:
        """Return whether an element is completely visible in the window."""
        script = """(element) => {
          const { top, bottom, left, right } = element.getBoundingClientRect();
          const isInside = top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth;
          const seen = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
          return isInside && element.contains(seen);
        }"""
        answer: bool = self.page.eval_on_selector(selector, script)
        return answer

    def begin(self, data: bytes | None = None, key: str | None = None) -> None:
        """Enter a valid key and choose a photo."""
        self.use_valid_key(key or self.api.key)
        self.give("photo.jpg", data or make.jpeg())
        self.page.wait_for_selector("#frame:not([data-state=compare])")

    def failure(self) -> str:
        """Wait for an error message and return the message."""
        self.page.wait_for_selector("#failure:visible", timeout=60_000)
        return self.page.inner_text("#failure")

    def fact(self, name: str) -> str:
        """Return one value from the page's list of facts about the result, such as the size."""
        return self.page.inner_text(f"#facts div:has(dt:text-is('{name}')) dd")

    def pixels(self, image: str) -> NDArray[np.uint8]:
        """Return the pixels of an image on the page, (H, W, 4)."""
        height, width, text = self.page.evaluate(PIXELS, image)
        data = np.frombuffer(base64.b64decode(text), np.uint8)
        return data.reshape(height, width, 4)

    def shown(self) -> NDArray[np.int16]:
        """Return a screenshot of the photo on the page, (H, W, 3)."""
        with Image.open(io.BytesIO(self.page.locator("#frame").screenshot())) as picture:
            return np.asarray(picture.convert("RGB")).astype(np.int16)

    def download(self) -> tuple[str, bytes]:
        """Save the result; return its name and bytes."""
        with self.page.expect_download() as download:
            self.page.click("#download")
        return download.value.suggested_filename, Path(download.value.path()).read_bytes()

    def tab_to(self, element: str) -> None:
        """Press Tab until an element has the focus."""
        for _ in range(TABS):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("document.activeElement.id") == element:
                return
        message = f"the keyboard does not reach #{element}"
        raise AssertionError(message)

    def balance(self, key: str | None = None) -> int:
        """Read the balance from the API, and return it."""
        headers = {"ApiKey": key or self.api.key}
        answer = requests.get(f"{self.api.server.url}/v2/account", headers=headers, timeout=30)
        left: int = answer.json()["balance"]
        return left

    def key_error(self) -> str:
        """Wait for an error message next to the key's field, and return the message."""
        self.page.wait_for_selector("#key-error:visible", timeout=60_000)
        return self.page.inner_text("#key-error")


def fits(page: Page) -> bool:
    wide: bool = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return wide


def fit_each_screen(visit: Visit, *buttons: str) -> None:
    """Require that in a window of each size the page fits and the buttons can be clicked."""
    for width, height in SCREENS:
        visit.page.set_viewport_size({"width": width, "height": height})
        assert fits(visit.page)
        for button in buttons:
            visit.page.click(button, trial=True)


def opened(context: BrowserContext, served: Api, fragment: str = "") -> Visit:
    visit = Visit.started(context, served, f"/docs{fragment}")
    visit.page.wait_for_selector("#guides section", state="attached")
    return visit

"""Keys on the page: links leave no key in the history, and errors are next to the key's field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from tests.integration.running import ServerProcess, environment, running

from blur.accounts import keys

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext
    from tests.browser.visit import Visit
    from tests.integration.storage.conftest import Api

STORED = "localStorage.getItem('background-blur-key')"


def stored(visit: Visit) -> str | None:
    key: str | None = visit.page.evaluate(STORED)
    return key


def known(visit: Visit, key: str) -> bool:
    """Wait until the page shows a key's prefix; return whether `key` starts with the prefix."""
    visit.page.wait_for_selector("#key-known:visible")
    return key.startswith(visit.page.inner_text("#key-prefix").rstrip("…"))


def follow(visit: Visit, fragment: str) -> None:
    visit.page.evaluate("(fragment) => { location.hash = fragment; }", fragment)


def test_a_key_in_a_new_fragment_of_the_open_page_is_used_and_removed_from_the_history(
    visit: Visit, served: Api
) -> None:
    follow(visit, f"key={served.key}")
    assert known(visit, served.key)
    assert visit.page.url == f"{served.server.url}/"
    visit.page.go_back()
    visit.page.wait_for_timeout(200)
    assert served.key not in visit.page.url
    visit.page.go_forward()
    visit.page.wait_for_timeout(200)
    assert served.key not in visit.page.url


@pytest.mark.parametrize("is_switched", [True, False], ids=["switched", "kept"])
def test_with_two_different_keys_the_page_asks_which_key_to_use(
    visit: Visit, served: Api, *, is_switched: bool
) -> None:
    visit.use_key(served.key)
    assert known(visit, served.key)
    follow(visit, f"key={served.other_key}")
    visit.page.wait_for_selector("#key-ask:visible")
    assert stored(visit) == served.key
    assert served.other_key.startswith(visit.page.inner_text("#key-other").rstrip("…"))
    visit.page.click("#key-switch" if is_switched else "#key-keep")
    visit.page.wait_for_selector("#key-ask:not(:visible)", state="attached")
    expected = served.other_key if is_switched else served.key
    visit.page.wait_for_selector(f"#key-prefix:has-text('{keys.parse(expected).prefix}')")
    assert stored(visit) == expected


def test_an_invalid_stored_key_is_replaced_by_the_key_in_a_link(visit: Visit, served: Api) -> None:
    visit.page.evaluate("localStorage.setItem('background-blur-key', 'bb_live_ended')")
    follow(visit, f"key={served.key}")
    assert known(visit, served.key)
    assert visit.page.is_hidden("#key-ask")
    assert visit.page.is_hidden("#key-error")


def test_a_link_with_a_wrong_key_shows_an_error_and_keeps_the_stored_key(
    visit: Visit, served: Api
) -> None:
    visit.use_key(served.key)
    assert known(visit, served.key)
    follow(visit, "key=bb_live_wrong")
    assert "This key is not valid" in visit.key_error()
    assert stored(visit) == served.key


@pytest.fixture
def demo(tmp_path: Path, model_dir: Path) -> Iterator[ServerProcess]:
    with running(tmp_path, environment(tmp_path, model_dir), "--demo") as server:
        yield server


def test_the_printed_link_can_be_used_only_once(
    context: BrowserContext, demo: ServerProcess
) -> None:
    printed = demo.out.read_text()
    [key] = re.findall(r"^Demo key: +(\S+)$", printed, re.MULTILINE)
    [link] = re.findall(r"^Open: +(\S+)$", printed, re.MULTILINE)
    page = context.new_page()
    page.goto(link)
    page.wait_for_selector("#key-known:visible")
    assert page.url == f"{demo.url}/"
    assert page.evaluate(STORED) == key
    page.click("#key-forget")
    page.goto("about:blank")
    page.goto(link)
    page.wait_for_selector("#key-error:visible")
    assert "used before or has expired" in page.inner_text("#key-error")
    assert page.evaluate(STORED) is None


def test_a_link_is_not_called_expired_if_the_server_is_too_busy(
    context: BrowserContext, served: Api
) -> None:
    error = {"code": "overloaded", "message": "Busy.", "request_id": "req_1", "retry_after": 1}
    context.route("**/key-link", lambda route: route.fulfill(status=503, json={"error": error}))
    page = context.new_page()
    page.goto(f"{served.server.url}/#code=abc")
    page.wait_for_selector("#failure:visible")
    assert "The service is busy" in page.inner_text("#failure")
    assert page.is_hidden("#key-error")


@pytest.mark.parametrize(("width", "height"), [(360, 780), (768, 1024), (1366, 657), (1440, 900)])
def test_errors_are_completely_visible_in_the_window(
    width: int, height: int, visit: Visit, served: Api
) -> None:
    visit.page.set_viewport_size({"width": width, "height": height})
    visit.page.click("#go")
    visit.key_error()
    visit.page.wait_for_timeout(700)
    assert visit.in_view("#key-error")
    assert visit.page.get_attribute("#key", "aria-invalid") == "true"
    assert visit.page.evaluate("document.activeElement.id") == "key"
    visit.use_key("bb_live_wrong")
    visit.page.wait_for_selector("#key-error:has-text('not valid')")
    assert visit.in_view("#key-error")
    visit.begin(b"this is no image", served.key)
    assert visit.page.get_attribute("#key", "aria-invalid") == "false"
    visit.page.click("#go")
    visit.failure()
    visit.page.wait_for_timeout(700)
    assert visit.in_view("#failure")


def test_without_a_clipboard_the_copy_button_selects_the_code(visit: Visit) -> None:
    visit.page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    visit.page.click("#copy")
    visit.page.wait_for_selector("#copy:has-text('Selected')")
    assert "curl" in visit.page.evaluate("getSelection().toString()")
    assert not visit.errors

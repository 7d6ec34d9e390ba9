"""The error messages of the page, and the use of the page after an error."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

from events import make
from tests.integration.running import BGBLUR

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext
    from tests.browser.visit import Visit

REQUEST = re.compile(r"Request req_[0-9a-f-]{36}")


def test_a_file_that_is_not_a_photo_shows_an_error_with_the_request_id(visit: Visit) -> None:
    visit.begin(b"this is no image")
    visit.page.click("#go")
    message = visit.failure()
    assert "cannot be read as a photo" in message
    assert "Nothing was charged" in message
    assert REQUEST.search(message)
    visit.give("photo.jpg", make.jpeg())
    visit.blur()
    assert visit.page.is_hidden("#failure")


def test_a_text_file_is_not_sent(visit: Visit) -> None:
    visit.begin()
    visit.give("notes.txt", b"words", "text/plain")
    assert "not a photo" in visit.failure()
    assert not any("/v2/rembg" in url for url in visit.asked)


def test_a_wrong_key_shows_an_error_and_is_not_stored(visit: Visit) -> None:
    visit.use_key("bb_live_wrong")
    message = visit.key_error()
    assert "This key is not valid" in message
    assert REQUEST.search(message)
    assert visit.page.evaluate("localStorage.length") == 0


def test_a_call_without_credits_left_shows_an_error(visit: Visit) -> None:
    command = [*BGBLUR, "keys", "issue", "--credits", "1", "--json"]
    done = subprocess.run(command, env=visit.api.env, capture_output=True, check=True)
    visit.begin(key=json.loads(done.stdout)["key"])
    assert visit.page.inner_text("#credits") == "1 credit"
    visit.blur()
    assert visit.fact("Credits left") == "0"
    visit.page.locator("#radius").fill("0.3")
    visit.page.click("#go")
    assert "too few credits" in visit.failure()


def test_the_main_button_asks_for_a_key_and_then_runs_the_example(
    visit: Visit,
) -> None:
    visit.page.click("#go")
    assert "Enter an API key" in visit.key_error()
    assert visit.page.evaluate("document.activeElement.id") == "key"
    visit.use_valid_key(visit.api.key)
    assert visit.page.is_hidden("#key-error")
    visit.blur()
    assert visit.download()[0] == "example-blurred.jpg"


def test_a_call_without_a_connection_shows_an_error_and_its_retry_is_charged_once(
    visit: Visit, context: BrowserContext
) -> None:
    visit.begin()
    before = visit.balance()
    context.set_offline(offline=True)
    visit.page.click("#go")
    assert "cannot be reached" in visit.failure()
    context.set_offline(offline=False)
    visit.blur()
    assert visit.balance() == before - 1


def test_after_a_cancelled_call_the_page_can_be_used_again(visit: Visit) -> None:
    visit.begin()
    visit.page.click("#go")
    visit.page.click("#cancel")
    visit.page.wait_for_selector("#progress:not(:visible)", state="attached")
    assert visit.page.is_hidden("#failure")
    visit.blur()

"""Results on the page: formats, names, progress and costs."""

from __future__ import annotations

import io
import re
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from tests.browser.photos import BLUR, answered, limited, picture
from tests.browser.visit import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext
    from tests.integration.storage.conftest import Api


def test_the_main_button_and_the_download_are_in_view_on_every_screen(sized: Visit) -> None:
    assert sized.in_view("#go")
    assert sized.in_view("#choose")
    sized.page.click("#go")
    sized.key_error()
    assert sized.in_view("#go")
    sized.begin(picture(size=(600, 400)))
    assert sized.in_view("#go")
    sized.page.evaluate("scrollTo(0, 0)")
    sized.blur()
    assert sized.in_view("#download")
    sized.page.locator("#radius").fill("2")
    assert sized.in_view("#go")
    assert sized.in_view("#download")
    width = sized.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]


def test_the_credits_fit_into_one_line_at_the_top_of_a_phone_screen(
    chromium: Browser, served: Api
) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 780})
    visit = Visit.started(context, served)
    height = "document.querySelector('.bar').getBoundingClientRect().height"
    before = visit.page.evaluate(height)
    visit.use_key(visit.api.key)
    visit.page.wait_for_selector("#credits:visible")
    assert visit.page.evaluate(height) == pytest.approx(before, abs=4)
    visit.page.evaluate("credits.textContent = '123,456 credits'")
    assert visit.page.evaluate(height) == pytest.approx(before, abs=4)
    assert "Background Blur" in visit.page.inner_text(".brand")
    context.close()


@pytest.mark.parametrize(
    ("given", "mime", "ending"),
    [("JPEG", "image/jpeg", "jpg"), ("PNG", "image/png", "png"), ("WEBP", "image/webp", "webp"),
     ("BMP", "image/bmp", "png")],
)  # fmt: skip
def test_a_result_has_the_format_of_its_photo_and_a_bmp_becomes_a_png(
    given: str, mime: str, ending: str, visit: Visit
) -> None:
    visit.use_valid_key(visit.api.key)
    visit.give(f"photo.{given.lower()}", picture(given), mime)
    visit.page.wait_for_selector("#frame[data-state=before]")
    visit.blur()
    name, data = visit.download()
    assert name == f"photo-blurred.{ending}"
    with Image.open(io.BytesIO(data)) as result:
        assert result.format == {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[ending]


def test_a_cutout_is_sharp_and_transparent_and_has_cutout_in_its_name(visit: Visit) -> None:
    visit.begin(picture(size=(300, 300)))
    visit.page.check("input[value=cutout]", force=True)
    assert visit.page.input_value("#radius") == "0"
    assert "stays sharp" in visit.page.inner_text("#radius-note")
    assert visit.page.inner_text("#go") == "Remove background"
    visit.blur()
    name, data = visit.download()
    assert name == "photo-cutout.png"
    with Image.open(io.BytesIO(data)) as result:
        alpha = np.asarray(result.convert("RGBA"))[..., 3]
    assert alpha.min() == 0
    assert alpha.max() == 255
    visit.page.check("input[value=jpeg]", force=True)
    assert "turns white" in visit.page.inner_text("#format-note")
    visit.page.check("input[value=background]", force=True)
    assert visit.page.input_value("#radius") == "1"


def test_an_outdated_result_is_marked_and_the_price_of_a_new_result_is_shown(visit: Visit) -> None:
    assert "1 credit for each result" in visit.page.inner_text("#hint")
    visit.begin()
    visit.blur()
    assert visit.page.is_hidden("#go"), (
        "the button is shown, but a repeated call would only cost another credit"
    )
    visit.page.locator("#radius").fill("3")
    assert visit.page.inner_text("#go") == "Blur again (1 credit)"
    assert "earlier settings" in visit.page.inner_text("#tag-after")
    before = visit.balance()
    visit.blur()
    assert visit.balance() == before - 1
    assert visit.page.inner_text("#tag-after") == "After"


def test_the_three_steps_of_a_call_are_shown_and_a_retry_after_a_cancelled_download_is_free(
    animated: Visit,
) -> None:
    animated.begin(picture(size=(900, 900)))
    animated.page.check("input[value=png]", force=True)
    animated.page.evaluate("""() => {
      window.steps = [];
      const name = document.getElementById("step-name");
      const note = () => window.steps.push(
        `${name.textContent} ${document.getElementById("step-share").textContent}`.trim());
      new MutationObserver(note).observe(document.getElementById("progress"),
        { subtree: true, childList: true, characterData: true });
    }""")
    before = animated.balance()
    session = animated.page.context.new_cdp_session(animated.page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": 200_000, "uploadThroughput": -1}
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", slow)
    animated.page.click("#go")
    animated.page.wait_for_selector("#step-name:has-text('Receiving')", timeout=60_000)
    animated.page.wait_for_selector("#step-share:has-text('%')")
    animated.page.click("#cancel")
    animated.page.wait_for_selector("#hint:has-text('try again for free')")
    steps = animated.page.evaluate("window.steps")
    assert any(re.fullmatch(r"Uploading \d+ %", step) for step in steps), steps
    assert "Blurring" in steps
    assert any(re.fullmatch(r"Receiving \d+ %", step) for step in steps), steps
    session.send("Network.emulateNetworkConditions", {**slow, "downloadThroughput": -1})
    animated.blur()
    assert animated.balance() == before - 1


def test_a_429_starts_a_countdown_and_then_offers_to_retry(sized: Visit) -> None:
    sized.begin()
    sized.page.route(BLUR, limited(seconds=3), times=1)
    sized.page.click("#go")
    assert "Too many photos" in sized.failure()
    assert sized.in_view("#failure")
    assert sized.page.is_disabled("#retry")
    assert sized.page.inner_text("#failure").count(" s.") == 1, (
        "the error must show the seconds exactly once"
    )
    assert re.search(r"in [123] s", sized.page.inner_text("#countdown"))
    sized.page.wait_for_selector("#countdown:has-text('now')")
    sized.page.click("#retry")
    sized.page.wait_for_selector("#outcome:visible", timeout=60_000)
    assert sized.page.is_hidden("#failure")


def test_an_error_disappears_when_a_photo_is_chosen_or_the_connection_is_back(
    visit: Visit, context: BrowserContext
) -> None:
    visit.begin(b"this is no image")
    visit.page.click("#go")
    visit.failure()
    visit.page.locator("#radius").fill("0.3")
    assert visit.page.is_visible("#failure"), (
        "changing a setting hid an error that the photo caused"
    )
    visit.give("another.jpg", picture())
    visit.page.wait_for_selector("#failure:not(:visible)", state="attached")
    context.set_offline(offline=True)
    visit.page.click("#go")
    assert "cannot be reached" in visit.failure()
    context.set_offline(offline=False)
    visit.page.wait_for_selector("#failure:not(:visible)", state="attached")


def test_without_a_connection_the_example_shows_that_the_server_cannot_be_reached(
    visit: Visit, context: BrowserContext
) -> None:
    visit.use_valid_key(visit.api.key)
    context.set_offline(offline=True)
    visit.page.route("**/sample.jpg", lambda route: route.abort())
    visit.page.click("#go")
    assert "cannot be reached" in visit.failure()
    assert not visit.errors


def test_with_a_test_key_the_page_shows_that_results_are_free(visit: Visit) -> None:
    key = {"prefix": "bb_test_1", "kind": "test", "expires_at": None}
    visit.page.route("**/v2/account", partial(answered, json={"balance": 1, "key": key}))
    visit.use_key("bb_test_1")
    visit.page.wait_for_selector("#hint:has-text('Free with a test key')")


def test_the_icons_and_the_preview_image_in_the_head_of_the_page_exist(visit: Visit) -> None:
    links = visit.page.evaluate(
        """() => Array.from(document.querySelectorAll("link[rel*=icon], meta[property='og:image']"),
          (each) => new URL(each.href ?? each.content, document.baseURI).href)"""
    )
    assert len(links) == 4
    for link in [*links, f"{visit.api.server.url}/favicon.ico"]:
        answer = visit.page.request.get(link)
        assert answer.ok, link
        assert answer.headers["content-type"].startswith("image/")
    colours = visit.page.locator("meta[name=theme-color]")
    assert colours.count() == 2
    for name in ("og:title", "og:description", "og:image"):
        assert visit.page.get_attribute(f"meta[property='{name}']", "content")

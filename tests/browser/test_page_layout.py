"""The layout of the page: nothing is covered, cut off or squeezed."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from events import make
from PIL import Image
from tests.browser.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, FilePayload, Route
    from tests.integration.storage.conftest import Api

BLUR = "**/v2/rembg/blur/"
PHONE = {"width": 360, "height": 780}
LEAST_MARGIN_PX = 4


def photo(size: tuple[int, int] = (192, 192)) -> bytes:
    buffer = io.BytesIO()
    with Image.open(make.PHOTO) as opened:
        opened.convert("RGB").resize(size).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def phone(chromium: Browser, served: Api) -> Iterator[Visit]:
    """Return the page on a phone: a small touch screen."""
    size: Any = PHONE
    context = chromium.new_context(
        viewport=size, has_touch=True, is_mobile=True, reduced_motion="reduce"
    )
    yield Visit.started(context, served)
    context.close()


def _fulfill(route: Route, **answer: Any) -> None:  # noqa: ANN401 - any arguments of Playwright's `fulfill`
    route.fulfill(**answer)


def footer_above_bar(visit: Visit) -> float:
    """Return the distance in pixels between the footer's text and the bar below the footer."""
    visit.page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    gap: float = visit.page.evaluate(
        """() => document.getElementById("go-bar").getBoundingClientRect().top
          - document.querySelector("footer p:last-child").getBoundingClientRect().bottom"""
    )
    return gap


def test_the_end_of_the_page_is_never_covered_by_the_bar(phone: Visit) -> None:
    assert footer_above_bar(phone) >= 0
    phone.begin()
    long = {"code": "idempotency_conflict", "message": "It failed. " * 40, "request_id": "req_1"}
    phone.page.route(BLUR, partial(_fulfill, status=500, json={"error": long}), times=1)
    phone.page.click("#go")
    phone.failure()
    assert phone.page.evaluate("document.getElementById('go-bar').offsetHeight") > 350
    assert footer_above_bar(phone) >= 0
    phone.blur()
    assert footer_above_bar(phone) >= 0


@pytest.mark.parametrize("width", [360, 1440])
def test_each_chosen_segment_has_a_margin_around_its_text(width: int, visit: Visit) -> None:
    visit.page.set_viewport_size({"width": width, "height": 900})
    margins = visit.page.evaluate(
        """() => Array.from(document.querySelectorAll(".segments input"), (input) => {
          input.checked = true;
          const label = input.nextElementSibling;
          const text = document.createRange();
          text.selectNodeContents(label);
          const [inner, outer] = [text.getBoundingClientRect(), label.getBoundingClientRect()];
          return [label.textContent, Math.min(inner.left - outer.left, outer.right - inner.right)];
        })"""
    )
    assert len(margins) == 13
    assert [name for name, margin in margins if margin < LEAST_MARGIN_PX] == [], margins


@pytest.mark.parametrize("size", [(300, 400), (400, 300)], ids=["portrait", "landscape"])
def test_all_corners_of_a_photo_have_the_same_radius(size: tuple[int, int], visit: Visit) -> None:
    visit.begin(photo(size))
    corners = visit.page.evaluate(
        """() => ["TopLeft", "TopRight", "BottomLeft", "BottomRight"].map((corner) =>
          getComputedStyle(document.getElementById("frame"))[`border${corner}Radius`])"""
    )
    assert len(set(corners)) == 1


def test_the_caption_on_a_touch_screen_contains_tap_instead_of_drop(
    phone: Visit, visit: Visit
) -> None:
    caption = phone.page.inner_text("#caption")
    assert "Tap" in caption
    assert "Drop" not in caption
    assert "Drop a photo" in visit.page.inner_text("#caption")


def test_there_is_space_between_the_heading_of_the_list_and_the_button_below(phone: Visit) -> None:
    phone.use_valid_key(phone.api.key)
    photos: list[FilePayload] = [
        {"name": name, "mimeType": "image/jpeg", "buffer": photo()} for name in ("a.jpg", "b.jpg")
    ]
    phone.page.set_input_files("#file", photos)
    phone.page.click("#go")
    phone.page.wait_for_selector("#download-all:visible", timeout=60_000)
    heading = phone.page.locator("#queue-title").bounding_box()
    button = phone.page.locator("#download-all").bounding_box()
    assert heading is not None
    assert button is not None
    assert button["y"] - heading["y"] - heading["height"] >= 2 * LEAST_MARGIN_PX


def test_the_result_in_the_code_sample_is_named_after_the_mode(visit: Visit) -> None:
    assert "blurred.part blurred.jpg" in visit.page.inner_text("#sample")
    visit.page.check("input[value=cutout]", force=True)
    assert "cutout.part cutout.png" in visit.page.inner_text("#sample")
    visit.page.click("#tab-python")
    assert 'open("cutout.png", "wb")' in visit.page.inner_text("#sample")


def test_only_one_button_has_the_word_example_in_its_text(visit: Visit) -> None:
    buttons = visit.page.locator("main :is(button, a) >> visible=true").all_inner_texts()
    assert [text for text in buttons if "example" in text] == ["Try it with the example"]


def test_the_buttons_under_the_picture_have_space_between_them(visit: Visit) -> None:
    """The buttons have no borders, so only the space separates their texts."""
    gaps: list[float] = visit.page.evaluate(
        """() => {
          const buttons = [...document.querySelectorAll(".ways button:not(.camera)")];
          for (const button of buttons) button.hidden = false;
          const boxes = buttons.map((button) => button.getBoundingClientRect());
          return boxes.slice(1).map((box, before) => box.left - boxes[before].right);
        }"""
    )
    assert gaps == pytest.approx([24, 24, 24], abs=0.5)

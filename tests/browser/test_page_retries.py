"""After errors: the messages of the page, and the photos that can be sent again."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from events import make
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import FilePayload, Route
    from tests.browser.visit import Visit

BLUR = "**/v2/rembg/blur/"
NOT_AN_IMAGE = b"this is not an image"
LASTING = ["invalid_image", "no_subject", "image_too_large"]
BRIEF = ["insufficient_credits", "internal_error", "temporarily_unavailable"]


def _fulfill(route: Route, **answer: Any) -> None:  # noqa: ANN401 - any arguments of Playwright's `fulfill`
    route.fulfill(**answer)


def plain() -> bytes:
    """Return an image of one colour, in which the model finds no subject."""
    buffer = io.BytesIO()
    Image.new("RGB", (300, 300), (120, 140, 160)).save(buffer, "JPEG")
    return buffer.getvalue()


def send_four(visit: Visit) -> None:
    """Remove the background of four photos, two of which always get an error."""
    visit.use_valid_key(visit.api.key)
    visit.page.check("input[value=cutout]", force=True)
    data = {"a.jpg": make.jpeg(), "b.jpg": plain(), "c.jpg": make.jpeg(), "d.jpg": NOT_AN_IMAGE}
    photos: list[FilePayload] = [
        {"name": name, "mimeType": "image/jpeg", "buffer": each} for name, each in data.items()
    ]
    visit.page.set_input_files("#file", photos)
    visit.page.click("#go")
    visit.failure()
    visit.page.wait_for_selector("#progress:not(:visible)", state="attached")


def answer_with(
    visit: Visit, code: str, status: int, *, charged: str | None = "0", **more: str
) -> None:
    error = {"code": code, "message": "The message of the API.", "request_id": "req_1", **more}
    headers = {} if charged is None else {"X-Credits-Charged": charged}
    handler = partial(_fulfill, status=status, headers=headers, json={"error": error})
    visit.page.route(BLUR, handler, times=1)


def test_the_page_does_not_offer_to_resend_photos_that_always_get_an_error(visit: Visit) -> None:
    send_four(visit)
    assert visit.page.inner_text("#go") == "Choose another photo"
    assert "in all" not in visit.page.inner_text("#hint")
    visit.page.check("input[value=webp]", force=True)
    assert visit.page.inner_text("#go") == "Remove 2 backgrounds again (2 credits)"
    sent = len([url for url in visit.asked if "/v2/rembg" in url])
    visit.page.click("#go")
    visit.page.wait_for_selector("#download:visible", timeout=60_000)
    assert len([url for url in visit.asked if "/v2/rembg" in url]) == sent + 2


def test_each_failed_photo_of_a_list_is_counted_once(visit: Visit) -> None:
    send_four(visit)
    assert visit.page.inner_text("#queue-title") == "2 of 4 photos done, 2 failed"
    assert visit.failure() == "2 photos failed. The list shows why."
    visit.page.click("#queue-items li:nth-child(2) .remove")
    assert visit.page.inner_text("#queue-title") == "2 of 3 photos done, 1 failed"
    assert visit.failure() == "1 photo failed. The list shows why."


def test_the_list_and_the_placeholder_show_why_a_photo_has_no_result(visit: Visit) -> None:
    send_four(visit)
    rows = visit.page.locator("#queue-items .state").all_inner_texts()
    assert rows[1].startswith("No subject was found in this photo. Choose a photo")
    assert rows[3].startswith("This file cannot be read as a photo. Choose a complete")
    assert "blur" not in rows[1] + rows[3]
    assert visit.page.inner_text("#placeholder") == (
        "No result for d.jpg. This file cannot be read as a photo."
    )


@pytest.mark.parametrize("code", LASTING)
def test_after_a_permanent_error_the_button_opens_a_file_chooser(code: str, visit: Visit) -> None:
    visit.begin()
    answer_with(visit, code, 422)
    visit.page.click("#go")
    visit.failure()
    assert visit.page.inner_text("#go") == "Choose another photo"
    with visit.page.expect_file_chooser() as chooser:
        visit.page.click("#go")
    chooser.value.set_files({"name": "b.jpg", "mimeType": "image/jpeg", "buffer": make.jpeg()})
    visit.page.wait_for_selector("#failure:not(:visible)", state="attached")
    visit.blur()


def test_a_photo_without_a_subject_can_be_sent_again_with_other_settings_for_the_subject(
    visit: Visit,
) -> None:
    visit.begin()
    answer_with(visit, "no_subject", 422)
    visit.page.click("#go")
    visit.failure()
    visit.page.check("input[value=bokeh]", force=True)
    assert visit.page.inner_text("#go") == "Choose another photo"
    assert visit.page.is_visible("#failure")
    visit.page.check("input[value=person]", force=True)
    assert visit.page.inner_text("#go") == "Blur background"
    assert visit.page.is_hidden("#failure")
    visit.page.check("input[value=auto][name=subject]", force=True)
    assert visit.page.inner_text("#go") == "Choose another photo"
    visit.page.check("input[value=person]", force=True)
    visit.page.click("#go")
    visit.page.wait_for_selector("#progress:not(:visible)", state="attached", timeout=60_000)
    assert len([url for url in visit.asked if "/v2/rembg" in url]) == 2


@pytest.mark.parametrize("code", BRIEF)
def test_after_a_temporary_error_the_button_blurs_the_same_photo(code: str, visit: Visit) -> None:
    visit.begin()
    answer_with(visit, code, 503)
    visit.page.click("#go")
    visit.failure()
    assert visit.page.inner_text("#go") == "Blur background"
    visit.blur()


@pytest.mark.parametrize("code", ["invalid_image", "no_subject", "insufficient_credits"])
def test_an_error_on_the_page_has_two_paragraphs_and_does_not_contain_the_apis_message(
    code: str, visit: Visit
) -> None:
    visit.begin()
    answer_with(visit, code, 422)
    visit.page.click("#go")
    text = visit.failure()
    assert "The message of the API" not in text
    assert visit.page.locator("#failure-text p:not(.trace)").count() == 2


def test_the_page_shows_only_one_error_for_an_invalid_key(visit: Visit) -> None:
    visit.use_key("bb_live_wrong")
    text = visit.key_error()
    assert text.count("not valid") == 1
    assert "Check it for missing characters" in text


def test_the_page_does_not_repeat_that_nothing_was_charged(visit: Visit) -> None:
    visit.begin()
    # The page shows the API's message for this code.
    answer_with(visit, "idempotency_conflict", 409, message="It failed. Nothing was charged.")
    visit.page.click("#go")
    text = visit.failure()
    assert "It failed." in text
    assert text.count("Nothing was charged") == 1


def test_the_page_does_not_repeat_that_nothing_was_charged_if_this_is_not_certain(
    visit: Visit,
) -> None:
    visit.begin()
    answer_with(visit, "internal_error", 500, charged=None)
    visit.page.click("#go")
    assert "You can safely try again" in visit.failure()
    answer_with(visit, "internal_error", 500, message="It failed. Nothing was charged.")
    visit.page.click("#go")
    visit.page.wait_for_selector("#progress:not(:visible)", state="attached", timeout=60_000)
    text = visit.failure()
    assert "You can safely try again" in text
    assert "Nothing was charged" not in text

"""Results on the page: formats, names, zoom, several photos, and costs."""

from __future__ import annotations

import io
import re
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from events import make
from PIL import Image
from tests.browser.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, FilePayload, Route
    from tests.integration.storage.conftest import Api

BLUR = "**/v2/rembg/blur/"
SCREENS = [(360, 780), (768, 1024), (1366, 657), (1440, 900)]


def picture(file_format: str = "JPEG", size: tuple[int, int] = (192, 192)) -> bytes:
    buffer = io.BytesIO()
    with Image.open(make.PHOTO) as photo:
        photo.convert("RGB").resize(size).save(buffer, file_format)
    return buffer.getvalue()


def files(*names: str, data: bytes | None = None) -> list[FilePayload]:
    buffer = picture() if data is None else data
    return [{"name": name, "mimeType": "image/jpeg", "buffer": buffer} for name in names]


@pytest.fixture(params=SCREENS, ids=lambda screen: f"{screen[0]}x{screen[1]}")
def sized(request: pytest.FixtureRequest, chromium: Browser, served: Api) -> Iterator[Visit]:
    """Return the page in a window of this size."""
    width, height = request.param
    context = chromium.new_context(viewport={"width": width, "height": height})
    yield Visit.begun(context, served)
    context.close()


def test_the_main_button_is_always_in_view(sized: Visit) -> None:
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
    sized.page.locator("#radius").fill("20")
    assert sized.in_view("#go")
    assert sized.in_view("#download")
    width = sized.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1]


@pytest.mark.parametrize("height", [657, 900])
def test_the_links_below_the_picture_are_not_cut_off_by_the_window(
    height: int, visit: Visit
) -> None:
    visit.page.set_viewport_size({"width": 1366 if height < 900 else 1440, "height": height})
    assert visit.in_view("#caption")
    visit.begin(picture(size=(600, 600)))
    assert visit.in_view("#more")
    visit.blur()
    assert visit.in_view("#more")
    visit.page.locator("#radius").fill("20")
    assert visit.in_view("#more")


def test_the_credits_fit_into_the_one_line_at_the_top_of_a_phone(
    chromium: Browser, served: Api
) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 780})
    visit = Visit.begun(context, served)
    height = "document.querySelector('.bar').getBoundingClientRect().height"
    before = visit.page.evaluate(height)
    visit.use_key(visit.api.key)
    visit.page.wait_for_selector("#credits:visible")
    assert visit.page.evaluate(height) == pytest.approx(before, abs=4)
    visit.page.evaluate("credits.textContent = '123,456 credits'")
    assert visit.page.evaluate(height) == pytest.approx(before, abs=4)
    assert "Background Blur" in visit.page.inner_text(".brand")
    context.close()


@pytest.mark.parametrize("size", [(2400, 150), (150, 2400)], ids=["wide", "tall"])
def test_a_very_wide_or_tall_photo_has_a_frame_of_usable_height(
    sized: Visit, size: tuple[int, int]
) -> None:
    sized.begin(picture(size=size))
    box = sized.page.locator("#frame").bounding_box()
    assert box is not None
    assert box["height"] >= 120
    assert box["width"] >= 120
    assert box["height"] <= sized.page.evaluate("innerHeight")
    image = sized.page.locator("#before").bounding_box()
    assert image is not None
    assert image["width"] / image["height"] == pytest.approx(size[0] / size[1], rel=0.05)
    sized.blur()
    for tag in ("#tag-before", "#tag-after"):
        place = sized.page.locator(tag).bounding_box()
        frame = sized.page.locator("#frame").bounding_box()
        assert place is not None
        assert frame is not None
        assert place["y"] >= frame["y"] + frame["height"], "outside of the picture"


def test_a_click_on_the_stage_chooses_a_photo(visit: Visit) -> None:
    for place in ("#choose", "#frame"):
        with visit.page.expect_file_chooser() as chooser:
            visit.page.click(place, position={"x": 30, "y": 20})
        assert chooser.value.is_multiple()


@pytest.mark.parametrize(
    ("given", "mime", "ending"),
    [("JPEG", "image/jpeg", "jpg"), ("PNG", "image/png", "png"), ("WEBP", "image/webp", "webp"),
     ("BMP", "image/bmp", "png")],
)  # fmt: skip
def test_the_format_follows_the_photo(given: str, mime: str, ending: str, visit: Visit) -> None:
    visit.use_key(visit.api.key)
    visit.page.wait_for_selector("#key-known:visible")
    visit.give(f"photo.{given.lower()}", picture(given), mime)
    visit.page.wait_for_selector("#frame[data-state=before]")
    visit.blur()
    name, data = visit.download()
    assert name == f"photo-blurred.{ending}"
    with Image.open(io.BytesIO(data)) as result:
        assert result.format == {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[ending]


def test_a_cutout_is_sharp_transparent_and_named_cutout(visit: Visit) -> None:
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
    assert visit.page.input_value("#radius") == "12"


def test_an_outdated_result_is_marked_and_the_price_of_a_new_one_shown(visit: Visit) -> None:
    assert "1 credit for each result" in visit.page.inner_text("#hint")
    visit.begin()
    visit.blur()
    assert visit.page.is_hidden("#go"), "the same again would only cost a credit"
    visit.page.locator("#radius").fill("30")
    assert visit.page.inner_text("#go") == "Blur again (1 credit)"
    assert "earlier settings" in visit.page.inner_text("#tag-after")
    before = visit.balance()
    visit.blur()
    assert visit.balance() == before - 1
    assert visit.page.inner_text("#tag-after") == "After"


def test_three_steps_are_shown_and_a_cancelled_paid_result_is_free_again(
    visit: Visit,
) -> None:
    visit.begin(picture(size=(900, 900)))
    visit.page.check("input[value=png]", force=True)
    visit.page.evaluate("""() => {
      window.steps = [];
      const name = document.getElementById("step-name");
      const note = () => window.steps.push(
        `${name.textContent} ${document.getElementById("step-share").textContent}`.trim());
      new MutationObserver(note).observe(document.getElementById("progress"),
        { subtree: true, childList: true, characterData: true });
    }""")
    before = visit.balance()
    session = visit.page.context.new_cdp_session(visit.page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": 200_000, "uploadThroughput": -1}
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", slow)
    visit.page.click("#go")
    visit.page.wait_for_selector("#step-name:has-text('Receiving')", timeout=60_000)
    visit.page.wait_for_selector("#step-share:has-text('%')")
    visit.page.click("#cancel")
    visit.page.wait_for_selector("#hint:has-text('try again for free')")
    steps = visit.page.evaluate("window.steps")
    assert any(re.fullmatch(r"Uploading \d+ %", step) for step in steps), steps
    assert "Blurring" in steps
    assert any(re.fullmatch(r"Receiving \d+ %", step) for step in steps), steps
    session.send("Network.emulateNetworkConditions", {**slow, "downloadThroughput": -1})
    visit.blur()
    assert visit.balance() == before - 1


def answered(route: Route, **answer: Any) -> None:  # noqa: ANN401 - playwright's arguments
    route.fulfill(**answer)


def limited(code: str = "rate_limit_exceeded", seconds: int = 2, status: int = 429) -> Any:  # noqa: ANN401 - a handler
    error = {"code": code, "message": "Too many.", "request_id": "req_1", "retry_after": seconds}
    headers = {"X-Credits-Charged": "0", "Retry-After": str(seconds)}
    return partial(answered, status=status, headers=headers, json={"error": error})


def test_429_counts_down_and_offers_to_retry(sized: Visit) -> None:
    sized.begin()
    sized.page.route(BLUR, limited(seconds=3), times=1)
    sized.page.click("#go")
    assert "Too many photos" in sized.failure()
    assert sized.in_view("#failure")
    assert sized.page.is_disabled("#retry")
    assert sized.page.inner_text("#failure").count(" s.") == 1, "seconds that do not count down"
    assert re.search(r"in [123] s", sized.page.inner_text("#countdown"))
    sized.page.wait_for_selector("#countdown:has-text('now')")
    sized.page.click("#retry")
    sized.page.wait_for_selector("#outcome:visible", timeout=60_000)
    assert sized.page.is_hidden("#failure")


def test_an_error_disappears_with_its_cause(visit: Visit, context: BrowserContext) -> None:
    visit.begin(b"this is no image")
    visit.page.click("#go")
    visit.failure()
    visit.page.locator("#radius").fill("3")
    assert visit.page.is_visible("#failure"), "another setting does not mend the photo"
    visit.give("another.jpg", picture())
    visit.page.wait_for_selector("#failure:not(:visible)", state="attached")
    context.set_offline(offline=True)
    visit.page.click("#go")
    assert "cannot be reached" in visit.failure()
    context.set_offline(offline=False)
    visit.page.wait_for_selector("#failure:not(:visible)", state="attached")


def test_a_new_result_is_revealed_by_one_sweep(visit: Visit) -> None:
    visit.begin()
    visit.page.evaluate("""() => {
      window.places = [];
      new MutationObserver(() => {
        const place = parseFloat(frame.style.getPropertyValue("--split"));
        if (window.places.at(-1) !== place) window.places.push(place);
      }).observe(frame, { attributes: true, attributeFilter: ["style"] });
    }""")
    visit.blur()
    visit.rest()
    places = visit.page.evaluate("window.places")
    swept = places[places.index(100) :]
    assert len(swept) > 3
    assert swept == sorted(swept, reverse=True)
    assert swept[-1] == 50


def test_nothing_moves_for_a_visitor_who_prefers_reduced_motion(
    chromium: Browser, served: Api
) -> None:
    context = chromium.new_context(reduced_motion="reduce")
    visit = Visit.begun(context, served)
    visit.begin()
    visit.blur()
    assert visit.page.evaluate("frame.style.getPropertyValue('--split')") == "50%"
    context.close()


def scale_of(visit: Visit) -> float:
    """Return the number of screen pixels for each pixel of the result."""
    scale: float = visit.page.evaluate(
        "after.getBoundingClientRect().width * devicePixelRatio / after.naturalWidth"
    )
    return scale


def test_a_click_zooms_to_1_to_1_and_a_second_click_back(visit: Visit) -> None:
    visit.begin(picture(size=(1600, 1200)))
    visit.blur()
    visit.rest()
    assert scale_of(visit) < 0.9
    visit.page.click("#frame", position={"x": 100, "y": 100})
    assert scale_of(visit) == pytest.approx(1, abs=0.01)
    assert visit.page.get_attribute("#zoom", "aria-pressed") == "true"
    visit.page.click("#frame", position={"x": 100, "y": 100})
    assert scale_of(visit) < 0.9
    visit.page.click("#zoom")
    assert scale_of(visit) == pytest.approx(1, abs=0.01)


def test_two_fingers_zoom_the_result(chromium: Browser, served: Api) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 780}, has_touch=True)
    visit = Visit.begun(context, served)
    visit.begin(picture(size=(1600, 1200)))
    visit.blur()
    visit.rest()
    before = scale_of(visit)
    box = visit.page.locator("#frame").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = context.new_cdp_session(visit.page)
    for kind, apart in (("touchStart", 20), ("touchMove", 40), ("touchMove", 80)):
        points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert scale_of(visit) > before * 2
    context.close()


def test_a_right_click_always_reaches_the_result(visit: Visit) -> None:
    visit.begin()
    visit.blur()
    visit.rest()
    for x in (20, 200, 400):
        source = visit.page.evaluate(
            """(x) => {
              const { left, top } = frame.getBoundingClientRect();
              return document.elementFromPoint(left + x, top + 120).src;
            }""",
            x,
        )
        assert source == visit.page.evaluate("after.src")


def test_several_photos_have_rows_downloads_and_one_zip(sized: Visit) -> None:
    sized.use_key(sized.api.key)
    sized.page.wait_for_selector("#key-known:visible")
    sized.page.set_input_files("#file", files("a.jpg", "a.jpg", "b.jpg"))
    sized.page.wait_for_selector("#queue:visible")
    assert sized.page.locator("#queue-items li").count() == 3
    assert sized.page.inner_text("#go") == "Blur 3 photos"
    assert "3 credits in all" in sized.page.inner_text("#hint")
    before = sized.balance()
    sized.page.click("#go")
    sized.page.wait_for_selector("#download-all:visible", timeout=120_000)
    assert sized.balance() == before - 3
    assert sized.page.locator("#queue-items li[data-state=done]").count() == 3
    drawn = "(canvas) => canvas.getContext('2d').getImageData(56, 56, 1, 1).data[3]"
    assert sized.page.eval_on_selector("#queue-items canvas", drawn) == 255
    with sized.page.expect_download() as one:
        sized.page.click("#queue-items li:nth-child(3) .save")
    assert one.value.suggested_filename == "b-blurred.jpg"
    with sized.page.expect_download() as saved:
        sized.page.click("#download-all")
    assert saved.value.suggested_filename == "photos.zip"
    with zipfile.ZipFile(Path(saved.value.path())) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a-blurred.jpg", "a-blurred (2).jpg", "b-blurred.jpg"]
        assert archive.read("b-blurred.jpg") == Path(one.value.path()).read_bytes()
    assert not sized.errors


def test_a_failed_photo_does_not_stop_others_and_none_is_charged_twice(visit: Visit) -> None:
    visit.use_key(visit.api.key)
    visit.page.wait_for_selector("#key-known:visible")
    broken = files("broken.jpg", data=b"this is no image")
    visit.page.set_input_files("#file", [*broken, *files("ä b.jpg", "c.jpg")])
    visit.page.wait_for_selector("#queue:visible")
    visit.page.route(BLUR, limited(seconds=1), times=1)
    before = visit.balance()
    visit.page.click("#go")
    assert "1 photo failed" in visit.failure()
    states = visit.page.locator("#queue-items li")
    assert [states.nth(row).get_attribute("data-state") for row in range(3)] == [
        "failed",
        "done",
        "done",
    ]
    assert "Choose a complete" in states.nth(0).inner_text()
    assert visit.page.get_attribute("#stage", "data-invalid") is None, "the shown photo is fine"
    assert visit.balance() == before - 2
    visit.page.click("#queue-items .remove >> visible=true")
    assert visit.page.is_hidden("#failure")
    assert visit.page.is_hidden("#go")
    with visit.page.expect_download() as saved:
        visit.page.click("#download-all")
    with zipfile.ZipFile(Path(saved.value.path())) as archive:
        assert archive.namelist() == ["ä b-blurred.jpg", "c-blurred.jpg"]


def test_a_photo_removed_during_a_batch_is_not_charged(visit: Visit) -> None:
    visit.use_key(visit.api.key)
    visit.page.wait_for_selector("#key-known:visible")
    visit.page.set_input_files("#file", files("a.jpg", "b.jpg", "c.jpg"))
    visit.page.wait_for_selector("#queue:visible")
    before = visit.balance()
    visit.page.route(BLUR, limited(seconds=1), times=1)
    visit.page.click("#go")
    visit.page.click("#queue-items li:nth-child(3) .remove")
    visit.page.wait_for_selector("#download-all:visible", timeout=60_000)
    assert visit.page.locator("#queue-items li").count() == 2
    assert visit.balance() == before - 2


def test_the_line_is_dragged_and_a_result_at_1_to_1_is_moved(visit: Visit) -> None:
    visit.begin(picture(size=(1600, 1200)))
    visit.blur()
    visit.rest()
    box = visit.page.locator("#frame").bounding_box()
    assert box is not None

    def drag(start: float, end: float) -> None:
        visit.page.mouse.move(box["x"] + start * box["width"], box["y"] + 100)
        visit.page.mouse.down()
        visit.page.mouse.move(box["x"] + end * box["width"], box["y"] + 120, steps=4)
        visit.page.mouse.up()

    split = "parseFloat(frame.style.getPropertyValue('--split'))"
    drag(0.5, 0.25)
    assert visit.page.evaluate(split) == pytest.approx(25, abs=1)
    visit.page.click("#zoom")
    left = visit.page.evaluate("after.getBoundingClientRect().left")
    drag(0.7, 0.5)
    assert visit.page.evaluate(split) == pytest.approx(25, abs=1)
    assert visit.page.evaluate("after.getBoundingClientRect().left") < left - 50


def test_offline_the_example_fails_with_a_clear_message(
    visit: Visit, context: BrowserContext
) -> None:
    visit.use_key(visit.api.key)
    visit.page.wait_for_selector("#key-known:visible")
    context.set_offline(offline=True)
    visit.page.route("**/sample.jpg", lambda route: route.abort())
    visit.page.click("#go")
    assert "cannot be reached" in visit.failure()
    assert not visit.errors


def test_a_list_without_credits_stops_at_once(visit: Visit) -> None:
    visit.use_key(visit.api.key)
    visit.page.wait_for_selector("#key-known:visible")
    error = {"code": "insufficient_credits", "message": "No credits.", "request_id": "req_1"}
    charged = {"X-Credits-Charged": "0"}
    visit.page.route(BLUR, partial(answered, status=402, headers=charged, json={"error": error}))
    visit.page.set_input_files("#file", files("a.jpg", "b.jpg"))
    visit.page.wait_for_selector("#queue:visible")
    visit.page.click("#go")
    assert "no credits left" in visit.failure()
    assert len([url for url in visit.asked if "/v2/rembg" in url]) == 1


def test_with_a_test_key_the_page_shows_that_results_are_free(visit: Visit) -> None:
    key = {"prefix": "bb_test_1", "kind": "test", "expires_at": None}
    visit.page.route("**/v2/account", partial(answered, json={"balance": 1, "key": key}))
    visit.use_key("bb_test_1")
    visit.page.wait_for_selector("#hint:has-text('Free with a test key')")


def test_the_icons_and_the_preview_in_the_head_exist(visit: Visit) -> None:
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_checkerboard_is_visible(scheme: Any, chromium: Browser, served: Api) -> None:  # noqa: ANN401 - playwright's literal
    context = chromium.new_context(color_scheme=scheme)
    visit = Visit.begun(context, served)
    colours = visit.page.evaluate(
        """() => ["--check-a", "--check-b"].map((name) =>
          getComputedStyle(document.documentElement).getPropertyValue(name))"""
    )
    first, second = (int(colour[1:3], 16) for colour in colours)
    assert abs(first - second) >= 32
    context.close()

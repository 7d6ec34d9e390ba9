"""The photo on the page: frame, zoom, the line between photo and result, and motion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.browser.photos import picture
from tests.browser.visit import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from tests.integration.storage.conftest import Api


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
    visit.page.locator("#radius").fill("2")
    assert visit.in_view("#more")


@pytest.mark.parametrize("size", [(2400, 150), (150, 2400)], ids=["wide", "tall"])
def test_a_very_wide_or_tall_photo_has_a_frame_of_usable_size(
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
        assert place["y"] >= frame["y"] + frame["height"], "the label covers the picture"


def test_a_click_on_the_button_or_on_the_frame_opens_the_file_chooser(visit: Visit) -> None:
    for place in ("#choose", "#frame"):
        with visit.page.expect_file_chooser() as chooser:
            visit.page.click(place, position={"x": 30, "y": 20})
        assert chooser.value.is_multiple()


def test_the_slider_line_moves_once_across_a_new_result(animated: Visit) -> None:
    animated.begin()
    animated.page.evaluate("""() => {
      window.places = [];
      new MutationObserver(() => {
        const place = parseFloat(frame.style.getPropertyValue("--split"));
        if (window.places.at(-1) !== place) window.places.push(place);
      }).observe(frame, { attributes: true, attributeFilter: ["style"] });
    }""")
    animated.blur()
    animated.rest()
    places = animated.page.evaluate("window.places")
    swept = places[places.index(100) :]
    assert len(swept) > 3
    assert swept == sorted(swept, reverse=True)
    assert swept[-1] == 50


def test_with_reduced_motion_the_line_is_in_the_middle_without_an_animation(
    chromium: Browser, served: Api
) -> None:
    context = chromium.new_context(reduced_motion="reduce")
    visit = Visit.started(context, served)
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


def test_a_click_zooms_to_1_to_1_and_a_second_click_zooms_back(animated: Visit) -> None:
    animated.begin(picture(size=(1600, 1200)))
    animated.blur()
    animated.rest()
    assert scale_of(animated) < 0.9
    animated.page.click("#frame", position={"x": 100, "y": 100})
    assert scale_of(animated) == pytest.approx(1, abs=0.01)
    assert animated.page.get_attribute("#zoom", "aria-pressed") == "true"
    animated.page.click("#frame", position={"x": 100, "y": 100})
    assert scale_of(animated) < 0.9
    animated.page.click("#zoom")
    assert scale_of(animated) == pytest.approx(1, abs=0.01)


def test_two_fingers_zoom_the_result(chromium: Browser, served: Api) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 780}, has_touch=True)
    visit = Visit.started(context, served)
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


def test_a_right_click_on_either_side_of_the_line_hits_the_image_of_the_result(
    visit: Visit,
) -> None:
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


def test_dragging_moves_the_dividing_line_but_if_the_result_is_zoomed_it_moves_the_result(
    animated: Visit,
) -> None:
    animated.begin(picture(size=(1600, 1200)))
    animated.blur()
    animated.rest()
    box = animated.page.locator("#frame").bounding_box()
    assert box is not None

    def drag(start: float, end: float) -> None:
        animated.page.mouse.move(box["x"] + start * box["width"], box["y"] + 100)
        animated.page.mouse.down()
        animated.page.mouse.move(box["x"] + end * box["width"], box["y"] + 120, steps=4)
        animated.page.mouse.up()

    split = "parseFloat(frame.style.getPropertyValue('--split'))"
    drag(0.5, 0.25)
    assert animated.page.evaluate(split) == pytest.approx(25, abs=1)
    animated.page.click("#zoom")
    left = animated.page.evaluate("after.getBoundingClientRect().left")
    drag(0.7, 0.5)
    assert animated.page.evaluate(split) == pytest.approx(25, abs=1)
    assert animated.page.evaluate("after.getBoundingClientRect().left") < left - 50


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_two_colours_of_the_checkerboard_differ_clearly(
    scheme: Any,  # noqa: ANN401 - Playwright's type is a literal
    chromium: Browser,
    served: Api,
) -> None:
    context = chromium.new_context(color_scheme=scheme)
    visit = Visit.started(context, served)
    colours = visit.page.evaluate(
        """() => ["--check-a", "--check-b"].map((name) =>
          getComputedStyle(document.documentElement).getPropertyValue(name))"""
    )
    first, second = (int(colour[1:3], 16) for colour in colours)
    assert abs(first - second) >= 32
    context.close()

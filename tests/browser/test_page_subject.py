"""The page's settings for the subject: the region, the depth, and the option for people."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from events import make
from PIL import Image, ImageOps

if TYPE_CHECKING:
    from playwright.sync_api import FilePayload
    from tests.browser.visit import Visit

SIDE_PX = 320


def two_people() -> bytes:
    """Return a photo of a person, with the same person mirrored in the right half."""
    with Image.open(make.PHOTO) as photo:
        left = photo.convert("RGB").resize((SIDE_PX, SIDE_PX))
    both = Image.new("RGB", (2 * SIDE_PX, SIDE_PX))
    both.paste(left, (0, 0))
    both.paste(ImageOps.mirror(left), (SIDE_PX, 0))
    buffer = io.BytesIO()
    both.save(buffer, "PNG")
    return buffer.getvalue()


def test_only_the_person_in_the_box_stays_sharp(visit: Visit) -> None:
    data = two_people()
    visit.begin(data)
    visit.page.locator("#radius").fill("3")
    visit.page.check("input[value=png]", force=True)
    visit.page.click("#choose-subject")
    assert visit.page.get_attribute("#choose-subject", "aria-pressed") == "true"
    frame = visit.page.locator("#frame").bounding_box()
    assert frame is not None
    mouse = visit.page.mouse
    mouse.move(frame["x"] + 8, frame["y"] + 8)  # inside the frame's rounded corner
    mouse.down()
    mouse.move(frame["x"] + 0.3 * frame["width"], frame["y"] + 0.5 * frame["height"], steps=4)
    mouse.move(frame["x"] + 0.5 * frame["width"], frame["y"] + frame["height"] - 1, steps=4)
    mouse.up()
    assert visit.page.get_attribute("#choose-subject", "aria-pressed") == "false"
    visit.blur()
    with Image.open(io.BytesIO(data)) as photo:
        before = np.asarray(photo).astype(int)
    change = np.abs(visit.pixels("after")[..., :3].astype(int) - before).mean(axis=2)
    # The model finds the face near the centre of each half.
    face = np.s_[SIDE_PX // 8 : SIDE_PX // 3, SIDE_PX * 3 // 8 : SIDE_PX // 2]
    assert change[face].mean() < 0.5
    assert change[:, ::-1][face].mean() > 3
    visit.page.click("#clear-region")
    assert visit.page.inner_text("#go") == "Blur again (1 credit)"
    visit.blur()
    change = np.abs(visit.pixels("after")[..., :3].astype(int) - before).mean(axis=2)
    assert change[:, ::-1][face].mean() < 0.5
    assert not visit.errors


def test_the_box_around_the_subject_can_be_set_with_the_keyboard(visit: Visit) -> None:
    visit.begin(two_people())
    visit.page.focus("#choose-subject")
    visit.page.keyboard.press("Enter")
    visit.page.focus("#region")
    visit.page.keyboard.press("ArrowLeft")
    visit.page.keyboard.press("Shift+ArrowDown")
    visit.page.keyboard.press("Escape")
    assert visit.page.get_attribute("#choose-subject", "aria-pressed") == "false"
    assert "roi=23.0% 10.0% 73.0% 92.0%" in visit.page.inner_text("#sample")
    for _ in range(30):
        visit.page.focus("#region")
        visit.page.keyboard.press("ArrowLeft")
    assert "roi=0.0% 10.0% 50.0% 92.0%" in visit.page.inner_text("#sample")


def test_each_photo_has_its_own_region(visit: Visit) -> None:
    visit.use_key(visit.api.key)
    second: FilePayload = {"name": "2.jpg", "mimeType": "image/jpeg", "buffer": make.jpeg()}
    first: FilePayload = {"name": "1.png", "mimeType": "image/png", "buffer": two_people()}
    visit.page.set_input_files("#file", [first, second])
    visit.page.wait_for_selector("#queue:visible")
    visit.page.click("#choose-subject")
    visit.page.click("#queue-items li:nth-child(2) .pick")
    assert visit.page.is_hidden("#clear-region")
    assert "roi" not in visit.page.inner_text("#sample")
    visit.page.click("#queue-items li:nth-child(1) .pick")
    visit.page.wait_for_selector("#clear-region:visible")
    assert "roi" in visit.page.inner_text("#sample")


def test_depth_ground_is_the_default_and_the_page_reports_if_no_ground_is_found(
    visit: Visit,
) -> None:
    visit.begin()
    assert "depth=ground" in visit.page.inner_text("#sample")
    visit.blur()
    assert visit.fact("Ground") == "Not found: blurred evenly"  # the photo does not show the feet
    visit.page.check("input[value=flat]", force=True)
    assert "depth" not in visit.page.inner_text("#sample")
    visit.page.check("input[value=cutout]", force=True)
    assert visit.page.is_hidden("#depth-set")


def test_with_the_option_for_people_the_page_sends_subject_person_and_gets_a_result(
    visit: Visit,
) -> None:
    visit.begin()
    visit.page.check("input[value=person]", force=True)
    assert "subject=person" in visit.page.inner_text("#sample")
    visit.blur()
    assert not visit.errors

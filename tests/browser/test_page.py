"""The main functions of the page: from a photo to its result, by mouse and by keyboard."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
import requests
from events import make
from PIL import Image
from tests.browser.visit import Visit

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext
    from tests.integration.storage.conftest import Api


def picture(file_format: str, side_px: int = 192) -> bytes:
    buffer = io.BytesIO()
    with Image.open(make.PHOTO) as photo:
        photo.convert("RGB").resize((side_px, side_px)).save(buffer, file_format)
    return buffer.getvalue()


def test_the_page_shows_and_saves_the_image_that_the_api_returns(visit: Visit) -> None:
    before = visit.balance()
    visit.begin()
    visit.page.locator("#radius").fill("2")
    visit.page.check("input[value=bokeh]", force=True)
    visit.page.check("input[value=png]", force=True)
    visit.blur()
    direct = requests.post(
        visit.api.server.blur_url,
        headers={"ApiKey": visit.api.key},
        files={"image": make.jpeg()},
        data={"radius": "2%", "blur": "bokeh", "depth": "ground"},
        timeout=60,
    )
    with Image.open(io.BytesIO(direct.content)) as answered:
        assert np.array_equal(visit.pixels("after")[..., :3], np.asarray(answered))
    assert visit.download() == ("photo-blurred.png", direct.content)
    assert visit.fact("Size") == "192 by 192"
    assert visit.fact("Credits left") == str(before - 1)
    words = visit.page.inner_text("#legend").split()
    assert [step for step in words if step in {"decode", "matte", "refine", "blur", "encode"}] == [
        "decode",
        "matte",
        "refine",
        "blur",
        "encode",
    ]
    assert not visit.errors


def test_the_slider_moves_the_border_between_the_photo_and_the_result(animated: Visit) -> None:
    animated.begin(picture("PNG"))
    animated.page.locator("#radius").fill("4")
    before_only = animated.shown()
    animated.blur()
    animated.rest()
    animated.page.focus("#split")
    animated.page.mouse.move(0, 0)
    half = animated.shown()
    animated.page.keyboard.press("Home")
    after = animated.shown()
    animated.page.keyboard.press("End")
    before = animated.shown()
    quarter = before.shape[1] // 4
    # These two regions contain neither the two labels on the pictures nor the slider's handle.
    corner = np.s_[60 : before.shape[0] // 4, quarter // 2 : quarter]
    mirrored = np.s_[60 : before.shape[0] // 4, -quarter : -quarter // 2]
    assert np.abs(before - before_only)[corner].mean() < 1
    assert np.abs(before - after)[corner].mean() > 5
    assert np.abs(half - before)[corner].mean() < 1
    assert np.abs(half - after)[mirrored].mean() < 1
    assert np.abs(half - before)[mirrored].mean() > 1


def test_a_photo_can_be_blurred_and_compared_with_the_keyboard_alone(animated: Visit) -> None:
    press = animated.page.keyboard.press
    animated.tab_to("key")
    animated.page.keyboard.type(animated.api.key)
    press("Enter")
    animated.page.wait_for_selector("#key-known:visible")
    # The page moves the focus to the main button when the key is accepted.
    animated.page.wait_for_function("document.activeElement.id === 'go'")
    animated.tab_to("choose")
    with animated.page.expect_file_chooser() as chooser:
        press("Enter")
    chooser.value.set_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": make.jpeg()})
    animated.page.wait_for_selector("#frame[data-state=before]")
    animated.tab_to("radius")
    press("ArrowRight")
    assert animated.page.inner_text("#radius-value") == "1.1% · 2 px"
    animated.tab_to("go")
    press("Enter")
    animated.page.wait_for_selector("#outcome:visible", timeout=60_000)
    animated.rest()
    animated.tab_to("split")
    press("ArrowLeft")
    assert animated.page.evaluate("frame.style.getPropertyValue('--split')") == "49%"
    animated.tab_to("tab-curl")
    press("ArrowRight")
    assert "requests.post" in animated.page.inner_text("#sample")


@pytest.mark.parametrize(
    "event",
    ["new DragEvent('drop', { dataTransfer })", "new ClipboardEvent('paste', { clipboardData })"],
    ids=["dropped", "pasted"],
)
def test_a_photo_can_be_dropped_or_pasted(event: str, visit: Visit) -> None:
    data = base64.b64encode(make.jpeg()).decode()
    visit.page.evaluate(
        f"""(text) => {{
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], "given.jpg", {{ type: "image/jpeg" }}));
          const clipboardData = dataTransfer;
          document.dispatchEvent({event});
        }}""",
        data,
    )
    visit.page.wait_for_selector("#frame[data-state=before]")
    visit.page.wait_for_selector("#caption:has-text('given.jpg')")


def test_the_code_sample_has_the_parameters_and_never_the_key(visit: Visit) -> None:
    visit.begin()
    visit.page.check("input[value=cutout]", force=True)
    visit.page.locator("#radius").fill("0.7")
    visit.page.check("input[value=webp]", force=True)
    visit.page.locator("#quality").fill("55")
    for language in ("curl", "python", "javascript", "php"):
        visit.page.click(f"#tab-{language}")
        code = visit.page.inner_text("#sample")
        assert visit.api.server.blur_url in code
        for text in ("radius", "0.7%", "mode", "cutout", "format", "webp", "quality", "55"):
            assert text in code, language
        assert "gaussian" not in code
        assert visit.api.key not in code


def test_a_photo_that_the_browser_cannot_show_is_still_blurred(visit: Visit) -> None:
    visit.use_valid_key(visit.api.key)
    visit.give("<b>scan</b>.tiff", picture("TIFF"), "image/tiff")
    visit.page.wait_for_selector("#frame[data-state=unseen]")
    assert "cannot show <b>scan</b>.tiff" in visit.page.inner_text("#placeholder")
    visit.blur()
    assert visit.page.get_attribute("#frame", "data-state") == "after"
    assert visit.pixels("after").shape == (192, 192, 4)


def test_a_large_photo_that_is_blurred_twice_is_uploaded_once(visit: Visit) -> None:
    visit.begin(picture("BMP", 1200))
    visit.page.check("input[value=jpeg]", force=True)
    visit.blur()
    visit.page.locator("#radius").fill("0.3")
    visit.blur()
    posted = [url.removeprefix(visit.api.server.url) for url in visit.asked if "/sample" not in url]
    assert posted.count("/v2/uploads") == posted.count("/media/uploads") == 1
    assert posted.count("/v2/rembg/blur/") == 2
    assert visit.pixels("after").shape == (1200, 1200, 4)


def test_the_page_shows_a_result_that_the_api_delivers_through_a_bucket(
    context: BrowserContext, by_link: Api
) -> None:
    visit = Visit.started(context, by_link)
    visit.begin(picture("BMP", 1200))
    visit.page.check("input[value=jpeg]", force=True)
    visit.blur()
    assert visit.pixels("after").shape == (1200, 1200, 4)
    assert visit.fact("Credits left") == str(visit.balance())
    assert not visit.errors


def test_a_key_in_the_fragment_of_the_address_is_used_and_removed(
    context: BrowserContext, served: Api
) -> None:
    visit = Visit.started(context, served, f"/#key={served.key}")
    visit.page.wait_for_selector("#key-known:visible")
    assert visit.page.url == f"{served.server.url}/"
    visit.page.click("#key-forget")
    assert visit.page.evaluate("localStorage.length") == 0
    assert visit.page.evaluate("document.activeElement.id") == "key"

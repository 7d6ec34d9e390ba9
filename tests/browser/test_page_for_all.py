"""Accessibility, small screens, dark mode and privacy of the pages."""

from __future__ import annotations

import email
import email.policy
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import axe_playwright_python
import pytest
from docs.describe import described
from events import make
from tests.browser.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, FilePayload, Page
    from tests.integration.storage.conftest import Api

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf-8")
SCREENS = [(360, "light"), (360, "dark"), (1440, "light"), (1440, "dark")]


@pytest.fixture(params=SCREENS, ids=lambda screen: f"{screen[0]}px-{screen[1]}")
def screen(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[BrowserContext]:
    """Return a browser window of this width, in which axe can be injected despite the policy."""
    width, scheme = request.param
    viewport: Any = {"width": width, "height": 800}
    context = chromium.new_context(viewport=viewport, color_scheme=scheme, bypass_csp=True)
    yield context
    context.close()


def serious(page: Page) -> list[str]:
    page.evaluate(AXE)
    found = page.evaluate("axe.run().then(({ violations }) => violations)")
    return [
        f"{each['id']}: {node['html']}"
        for each in found
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


def fits(page: Page) -> bool:
    wide: bool = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return wide


def test_the_page_fits_and_axe_finds_nothing_serious(screen: BrowserContext, served: Api) -> None:
    visit = Visit.begun(screen, served)
    assert fits(visit.page)
    assert serious(visit.page) == []
    visit.page.click("#go")
    visit.key_error()
    assert serious(visit.page) == []
    visit.begin()
    visit.page.check("input[value=webp]", force=True)
    visit.blur()
    assert fits(visit.page)
    assert serious(visit.page) == []


def test_a_list_of_photos_fits_and_axe_finds_nothing_serious(
    screen: BrowserContext, served: Api
) -> None:
    visit = Visit.begun(screen, served)
    visit.use_key(served.key)
    visit.page.wait_for_selector("#key-known:visible")
    named = [(f"{'a long name ' * 8}.jpg", make.jpeg()), ("broken.jpg", b"no image")]
    photos: list[FilePayload] = [
        {"name": name, "mimeType": "image/jpeg", "buffer": data} for name, data in named
    ]
    visit.page.set_input_files("#file", photos)
    visit.page.wait_for_selector("#queue:visible")
    assert fits(visit.page)
    assert serious(visit.page) == []
    visit.page.click("#go")
    visit.failure()
    assert fits(visit.page)
    assert serious(visit.page) == []
    visit.page.check("input[value=cutout]", force=True)
    assert serious(visit.page) == []


def test_axe_finds_nothing_serious_in_the_expanded_reference(
    screen: BrowserContext, served: Api
) -> None:
    visit = opened(screen, served)
    visit.page.evaluate(
        "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
    )
    assert fits(visit.page)
    assert serious(visit.page) == []


def test_the_reference_fits_and_axe_finds_nothing_serious(
    screen: BrowserContext, served: Api
) -> None:
    visit = Visit.begun(screen, served, "/docs")
    visit.page.wait_for_selector("#calls section")
    assert fits(visit.page)
    assert serious(visit.page) == []


def test_the_reference_shows_every_call_field_and_code(
    context: BrowserContext, served: Api
) -> None:
    visit = Visit.begun(context, served, "/docs")
    visit.page.wait_for_selector("#calls section")
    text = visit.page.inner_text("#work")
    for path, methods in described()["paths"].items():
        assert path in text
        assert {"post", "get"} & set(methods)
    for name in described()["components"]["schemas"]["BlurForm"]["properties"]:
        assert name in text
    for code in ("invalid_quality", "no_subject", "idempotency_conflict", "upload_not_found"):
        assert code in text
    assert not visit.errors


def opened(context: BrowserContext, served: Api, fragment: str = "") -> Visit:
    visit = Visit.begun(context, served, f"/docs{fragment}")
    visit.page.wait_for_selector("#guides section", state="attached")
    return visit


def test_the_first_call_names_this_server_in_four_languages(
    context: BrowserContext, served: Api
) -> None:
    visit = opened(context, served)
    assert visit.page.inner_text("#base") == f"{served.server.url}/"
    for language, word in (
        ("curl", "--fail-with-body"),
        ("python", "requests.post"),
        ("javascript", "FormData"),
        ("php", "curl_init"),
    ):
        visit.page.click(f"#tab-{language}")
        code = visit.page.inner_text("#sample")
        assert word in code
        assert served.server.blur_url in code
        assert served.key not in code


def test_each_error_has_a_meaning_and_what_to_do(context: BrowserContext, served: Api) -> None:
    visit = opened(context, served)
    entries = visit.page.locator("#codes details")
    assert entries.count() > 20
    for text in entries.all_inner_texts():
        meaning, remedy = re.findall(r"(?:Meaning|What to do): (.+)", text)
        assert len(meaning) > 10
        assert len(remedy) > 10
        assert re.search(r"\b[45]\d\d\b", text)


def test_each_route_shows_its_error_envelope(context: BrowserContext, served: Api) -> None:
    visit = opened(context, served)
    for section in visit.page.locator("#calls section").all():
        if section.locator("summary:text-is('Errors')").count():
            section.locator("summary:text-is('Errors')").click()
            [shown] = [
                text for text in section.locator("details[open] pre").all_inner_texts()
                if '"error"' in text
            ]  # fmt: skip
            assert set(json.loads(shown)["error"]) == {"code", "message", "request_id"}


def test_the_multipart_example_is_multipart(context: BrowserContext, served: Api) -> None:
    visit = opened(context, served)
    visit.page.click("#blur summary:text-is('Example request')")
    text = visit.page.inner_text("#blur details[open] pre:has-text('multipart/form-data')")
    head, _, body = text.partition("\n\n")
    form = f"{head.partition(chr(10))[2]}\n\n{body}"
    message = email.message_from_string(form, policy=email.policy.default)
    parts = {
        part.get_param("name", header="content-disposition"): part for part in message.iter_parts()
    }
    assert parts["radius"].get_content().strip() == "12"
    assert parts["image"].get_filename() == "photo.jpg"


def test_the_form_sends_a_real_call_and_shows_its_response(
    context: BrowserContext, served: Api
) -> None:
    visit = opened(context, served)
    before = visit.balance()
    form = visit.page.locator("#blur .try")
    visit.page.click("#blur summary:text-is('Try it')")
    form.locator("[name=ApiKey]").fill(served.key)
    form.locator("[name=image]").set_input_files(
        {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": make.jpeg()}
    )
    form.locator("button").click()
    form.locator(".response img").wait_for()
    assert "HTTP 200" in form.locator(".response pre").inner_text()
    assert visit.balance() == before - 1
    form.locator("[name=radius]").fill("99")
    form.locator("button").click()
    form.locator(".response pre:has-text('invalid_radius')").wait_for()
    visit.page.click("#createUpload summary:text-is('Try it')")
    form = visit.page.locator("#createUpload .try")
    form.locator("[name=ApiKey]").fill(served.key)
    form.locator("[name=content_type]").select_option("image/jpeg")
    form.locator("[name=bytes]").fill("1000")
    form.locator("button").click()
    form.locator(".response pre:has-text('upload_id')").wait_for()
    assert not visit.errors


def test_the_section_in_the_address_is_opened(context: BrowserContext, served: Api) -> None:
    visit = opened(context, served, "#coming-from-remove-bg")
    assert "image_file_b64" in visit.page.inner_text("#coming-from-remove-bg")
    visit.page.evaluate("location.hash = 'error-no_subject'")
    visit.page.wait_for_selector("#error-no_subject[open]")


def test_the_reference_is_usable_on_a_phone(chromium: Browser, served: Api) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 780})
    visit = opened(context, served)
    assert fits(visit.page)
    tops = "each => each.map(link => link.getBoundingClientRect().top)"
    lines = visit.page.eval_on_selector_all("#contents a", tops)
    assert len(set(lines)) == len(lines), "entries that share a line"
    assert visit.page.evaluate("document.documentElement.scrollHeight") < 12_499 * 0.6
    for summary in visit.page.locator("summary").all():
        summary.click()
    assert fits(visit.page)
    assert visit.page.locator("details:not([open])").count() == 0
    context.close()


def test_no_request_goes_to_another_origin(visit: Visit) -> None:
    visit.begin()
    visit.blur()
    visit.page.goto(f"{visit.api.server.url}/docs")
    visit.page.wait_for_selector("#calls section")
    assert len(visit.asked) > 10
    allowed = (f"{visit.api.server.url}/", f"blob:{visit.api.server.url}/")
    assert [url for url in visit.asked if not url.startswith(allowed)] == []


def test_nothing_moves_with_reduced_motion(chromium: Browser, served: Api) -> None:
    context = chromium.new_context(reduced_motion="reduce")
    visit = Visit.begun(context, served)
    moving = "Array.from(document.querySelectorAll('*'), (e) => getComputedStyle(e))"
    still = f"{moving}.every((s) => s.animationName === 'none' && s.transitionDuration === '0s')"
    visit.page.evaluate(
        "progress.hidden = false; document.getElementById('progress-bar').removeAttribute('value')"
    )
    assert visit.page.evaluate(still)
    context.close()

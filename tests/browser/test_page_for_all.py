"""The pages for everyone: on a phone, in the dark, read aloud, and without anybody listening."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import axe_playwright_python
import pytest
from docs.describe import described
from tests.browser.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page
    from tests.integration.media.conftest import Api

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text("utf-8")
SCREENS = [(360, "light"), (360, "dark"), (1440, "light"), (1440, "dark")]


@pytest.fixture(params=SCREENS, ids=lambda screen: f"{screen[0]}px-{screen[1]}")
def screen(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[BrowserContext]:
    """Return a browser of this width; it lets the judge of the page in, whom the page does not."""
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


def test_no_request_leaves_the_origin(visit: Visit) -> None:
    visit.begin()
    visit.blur()
    visit.page.goto(f"{visit.api.server.url}/docs")
    visit.page.wait_for_selector("#calls section")
    assert len(visit.asked) > 10
    allowed = (f"{visit.api.server.url}/", f"blob:{visit.api.server.url}/")
    assert [url for url in visit.asked if not url.startswith(allowed)] == []


def test_nothing_moves_for_who_asks_for_stillness(chromium: Browser, served: Api) -> None:
    context = chromium.new_context(reduced_motion="reduce")
    visit = Visit.begun(context, served)
    moving = "Array.from(document.querySelectorAll('*'), (e) => getComputedStyle(e))"
    still = f"{moving}.every((s) => s.animationName === 'none' && s.transitionDuration === '0s')"
    visit.page.evaluate(
        "progress.hidden = false; document.getElementById('progress-bar').removeAttribute('value')"
    )
    assert visit.page.evaluate(still)
    context.close()

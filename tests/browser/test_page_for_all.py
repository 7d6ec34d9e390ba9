"""Accessibility, small screens, dark mode and privacy of the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events import make
from tests.browser.axe import serious
from tests.browser.visit import Visit, fits, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, FilePayload
    from tests.integration.storage.conftest import Api


def test_the_page_fits_the_window_and_axe_finds_no_serious_problem(
    screen: BrowserContext, served: Api
) -> None:
    visit = Visit.started(screen, served)
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


def test_a_list_of_photos_fits_the_window_and_axe_finds_no_serious_problem(
    screen: BrowserContext, served: Api
) -> None:
    visit = Visit.started(screen, served)
    visit.use_valid_key(served.key)
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


def test_the_reference_fits_the_window_and_axe_finds_no_serious_problem(
    screen: BrowserContext, served: Api
) -> None:
    visit = opened(screen, served)
    assert fits(visit.page)
    assert serious(visit.page) == []
    visit.page.evaluate(
        "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
    )
    assert fits(visit.page)
    assert serious(visit.page) == []


def test_no_request_goes_to_another_origin(visit: Visit) -> None:
    visit.begin()
    visit.blur()
    visit.open("/docs")
    visit.page.wait_for_selector("#calls section")
    assert len(visit.asked) > 10
    allowed = (f"{visit.api.server.url}/", f"blob:{visit.api.server.url}/")
    assert [url for url in visit.asked if not url.startswith(allowed)] == []


def test_with_reduced_motion_no_element_has_an_animation_or_a_transition(
    chromium: Browser, served: Api
) -> None:
    context = chromium.new_context(reduced_motion="reduce")
    visit = Visit.started(context, served)
    moving = "Array.from(document.querySelectorAll('*'), (e) => getComputedStyle(e))"
    still = f"{moving}.every((s) => s.animationName === 'none' && s.transitionDuration === '0s')"
    visit.page.evaluate(
        "progress.hidden = false; document.getElementById('progress-bar').removeAttribute('value')"
    )
    assert visit.page.evaluate(still)
    context.close()

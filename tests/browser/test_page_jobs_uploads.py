"""On the page, the upload of a folder is interrupted, fails or is repeated."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from tests.browser.page_jobs import choose, job_of, wait_for_end, wait_for_title
from tests.browser.photos import answered
from tests.integration.storage.conftest import issue

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Route
    from tests.browser.visit import Visit

UPLOADS = "**/media/jobs"


def test_an_upload_that_a_reload_interrupted_is_continued_with_the_missing_photos(
    visit: Visit, album: Path
) -> None:
    key = issue(visit.api.env)
    passed: list[str] = []

    def pass_two(route: Route) -> None:
        if len(passed) < 2:
            passed.append(route.request.url)
            route.continue_()  # all later uploads stay without a response

    visit.page.route(UPLOADS, pass_two)
    choose(visit, album, key)
    visit.page.click("#go")
    wait_for_title(visit, "Uploading 2 of 5")
    visit.page.on("dialog", lambda dialog: dialog.accept())
    visit.reload()
    wait_for_title(visit, "interrupted after 2 of 5")
    visit.page.unroute(UPLOADS)
    visit.asked.clear()
    with visit.page.expect_file_chooser() as chooser:
        visit.page.click("#job-again")
    chooser.value.set_files(album)
    wait_for_end(visit)
    assert len([url for url in visit.asked if url.endswith("/media/jobs")]) == 3
    assert job_of(visit, key)["counts"] == {
        "received": 5,
        "done": 4,
        "failed": 1,
        "cancelled": 0,
        "charged": 4,
    }
    assert visit.balance(key) == 96


def test_the_uploaded_photos_can_be_processed_without_the_missing_photos(
    visit: Visit, album: Path
) -> None:
    # The page uploads three photos at a time: the fourth upload starts when an upload has ended.
    # If an upload fails, the page stops the two other uploads, but their photos can already have
    # arrived.
    visit.page.route(UPLOADS, partial(answered, status=403, json={}))
    visit.page.route(UPLOADS, lambda route: route.continue_(), times=3)
    choose(visit, album)
    visit.page.click("#go")
    wait_for_title(visit, "interrupted after")
    assert "status 403" in visit.page.inner_text("#job-alert")
    visit.page.wait_for_selector("#job-close:visible")
    visit.page.click("#job-close")
    wait_for_end(visit)
    assert re.search(r"of [123] photos? ", visit.page.inner_text("#job-title"))


def test_a_failed_upload_is_repeated_and_a_photo_that_is_too_large_is_listed(
    visit: Visit, album: Path
) -> None:
    error = {"code": "image_too_large", "message": "Too large.", "request_id": "req_1"}
    visit.page.route(UPLOADS, partial(answered, status=413, json={"error": error}), times=1)
    visit.page.route(UPLOADS, lambda route: route.abort(), times=1)
    visit.page.route(UPLOADS, partial(answered, status=503, body="later"), times=1)
    visit.page.route("**/close", lambda route: route.abort(), times=1)
    choose(visit, album)
    visit.page.click("#go")
    wait_for_end(visit)
    assert " of 4 photos done" in visit.page.inner_text("#job-title")
    assert visit.page.inner_text("#job-title").endswith(", 1 not uploaded")
    visit.page.click("#job-failed")
    assert "This photo is too large. Too large." in visit.page.inner_text("#job-failure-items")

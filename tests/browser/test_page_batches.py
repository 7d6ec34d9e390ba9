"""Several photos on the page: rows, downloads, failures and costs."""

from __future__ import annotations

import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.photos import BLUR, answered, files, limited
from tests.browser.visit import fit_each_screen

if TYPE_CHECKING:
    from tests.browser.visit import Visit


def test_each_photo_has_a_row_and_a_download_and_one_zip_contains_all_results(visit: Visit) -> None:
    visit.use_valid_key(visit.api.key)
    visit.page.set_input_files("#file", files("a.jpg", "a.jpg", "b.jpg"))
    visit.page.wait_for_selector("#queue:visible")
    assert visit.page.locator("#queue-items li").count() == 3
    assert visit.page.inner_text("#go") == "Blur 3 photos"
    assert "3 credits in all" in visit.page.inner_text("#hint")
    fit_each_screen(visit, "#go")
    before = visit.balance()
    visit.page.click("#go")
    visit.page.wait_for_selector("#download-all:visible", timeout=120_000)
    assert visit.balance() == before - 3
    assert visit.page.locator("#queue-items li[data-state=done]").count() == 3
    fit_each_screen(visit, "#queue-items li:nth-child(3) .save", "#download-all")
    drawn = "(canvas) => canvas.getContext('2d').getImageData(56, 56, 1, 1).data[3]"
    assert visit.page.eval_on_selector("#queue-items canvas", drawn) == 255
    with visit.page.expect_download() as one:
        visit.page.click("#queue-items li:nth-child(3) .save")
    assert one.value.suggested_filename == "b-blurred.jpg"
    with visit.page.expect_download() as saved:
        visit.page.click("#download-all")
    assert saved.value.suggested_filename == "photos.zip"
    with zipfile.ZipFile(Path(saved.value.path())) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a-blurred.jpg", "a-blurred (2).jpg", "b-blurred.jpg"]
        assert archive.read("b-blurred.jpg") == Path(one.value.path()).read_bytes()
    assert not visit.errors


def test_a_failed_photo_does_not_stop_the_others_and_only_results_are_charged(visit: Visit) -> None:
    visit.use_valid_key(visit.api.key)
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
    assert visit.page.get_attribute("#stage", "data-invalid") is None, (
        "the displayed photo is marked as invalid, but another photo failed"
    )
    assert visit.balance() == before - 2
    visit.page.click("#queue-items .remove >> visible=true")
    assert visit.page.is_hidden("#failure")
    assert visit.page.is_hidden("#go")
    with visit.page.expect_download() as saved:
        visit.page.click("#download-all")
    with zipfile.ZipFile(Path(saved.value.path())) as archive:
        assert archive.namelist() == ["ä b-blurred.jpg", "c-blurred.jpg"]


def test_a_photo_removed_during_a_batch_is_not_charged(visit: Visit) -> None:
    visit.use_valid_key(visit.api.key)
    visit.page.set_input_files("#file", files("a.jpg", "b.jpg", "c.jpg"))
    visit.page.wait_for_selector("#queue:visible")
    before = visit.balance()
    visit.page.route(BLUR, limited(seconds=1), times=1)
    visit.page.click("#go")
    visit.page.click("#queue-items li:nth-child(3) .remove")
    visit.page.wait_for_selector("#download-all:visible", timeout=60_000)
    assert visit.page.locator("#queue-items li").count() == 2
    assert visit.balance() == before - 2


def test_a_batch_stops_after_its_first_call_if_no_credits_are_left(visit: Visit) -> None:
    visit.use_valid_key(visit.api.key)
    error = {"code": "insufficient_credits", "message": "No credits.", "request_id": "req_1"}
    charged = {"X-Credits-Charged": "0"}
    visit.page.route(BLUR, partial(answered, status=402, headers=charged, json={"error": error}))
    visit.page.set_input_files("#file", files("a.jpg", "b.jpg"))
    visit.page.wait_for_selector("#queue:visible")
    visit.page.click("#go")
    assert "too few credits" in visit.failure()
    assert len([url for url in visit.asked if "/v2/rembg" in url]) == 1

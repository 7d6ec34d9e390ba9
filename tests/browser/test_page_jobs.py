"""A bulk job on the page, from the choice of a folder to the ZIP of its results."""

from __future__ import annotations

import json
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.axe import serious
from tests.browser.page_jobs import ENDED_MS, choose, job_of, wait_for_end
from tests.browser.photos import answered
from tests.browser.visit import Visit, fit_each_screen, fits
from tests.integration.storage.conftest import Api, issue

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Download

COUNT_LISTENERS = """() => {
  const counts = new Map();
  for (const [method, change] of [["addEventListener", 1], ["removeEventListener", -1]]) {
    const original = AbortSignal.prototype[method];
    AbortSignal.prototype[method] = function (...all) {
      counts.set(this, (counts.get(this) ?? 0) + change);
      return original.apply(this, all);
    };
  }
  const sum = (total, [{ aborted }, count]) => total + (aborted ? 0 : count);
  window.listeners = () => [...counts].reduce(sum, 0);
}"""
"""A script that counts the listeners on every `AbortSignal` that has not been aborted."""


def saved(download: Download) -> Path:
    return Path(download.path())


def test_a_folder_becomes_a_zip_and_a_manifest_and_each_photo_is_charged_once(
    visit: Visit, album: Path
) -> None:
    key = issue(visit.api.env)
    choose(visit, album, key)
    assert visit.page.inner_text("#job-title") == "5 photos from summer"
    assert visit.page.inner_text("#go") == "Blur 5 photos"
    hint = visit.page.inner_text("#hint")
    assert hint == "At most 5 credits. Photos that fail are free."
    assert "JPEG, for all photos" in visit.page.inner_text("#format-note")
    fit_each_screen(visit, "#go")
    visit.page.click("#go")
    wait_for_end(visit)
    assert visit.page.inner_text("#job-title") == "4 of 5 photos done, 1 failed"
    assert "4 credits charged" in visit.page.inner_text("#job-text")
    assert visit.balance(key) == 96
    fit_each_screen(visit, "#job-failed", "#job-zip", "#job-manifest", "#job-remove")
    visit.page.click("#job-failed")
    failure = visit.page.inner_text("#job-failure-items")
    assert failure.startswith("broken.jpg\n")
    assert "cannot be read" in failure
    with visit.page.expect_download() as zipped:
        visit.page.click("#job-zip")
    assert zipped.value.suggested_filename == "summer.zip"
    with zipfile.ZipFile(saved(zipped.value)) as archive:
        assert archive.testzip() is None
        names = ["a.jpg", "b.jpg", "sub/a.jpg", "sub/ä b.jpg"]
        assert sorted(archive.namelist()) == names
        assert all(archive.read(name).startswith(b"\xff\xd8\xff") for name in names)
    with visit.page.expect_download() as listed:
        visit.page.click("#job-manifest")
    rows = [json.loads(line) for line in saved(listed.value).read_text("utf-8").splitlines()]
    assert {row["source"]: row["credits"] for row in rows} == {
        **dict.fromkeys(["a.jpg", "b.png", "sub/a.jpg", "sub/ä b.jpg"], 1),
        "broken.jpg": 0,
    }
    visit.page.click("#job-remove")
    visit.page.wait_for_selector("#job", state="hidden")
    visit.reload()
    visit.page.wait_for_selector("#key-known:visible")
    assert visit.page.is_hidden("#job")
    assert not visit.errors


def test_requests_and_pauses_that_have_ended_leave_no_listeners(visit: Visit, album: Path) -> None:
    """Each listener that is left keeps a result in memory, and a job can have 50,000 results."""
    visit.page.evaluate(COUNT_LISTENERS)
    choose(visit, album)
    visit.page.click("#go")
    wait_for_end(visit)
    with visit.page.expect_download():
        visit.page.click("#job-zip")
    visit.page.wait_for_selector("#job-zip:visible")
    assert visit.page.evaluate("window.listeners()") == 0


def test_the_zip_has_the_results_that_have_not_expired(visit: Visit, album: Path) -> None:
    choose(visit, album)
    visit.page.click("#go")
    wait_for_end(visit)
    error = {"code": "result_not_found", "message": "Expired.", "request_id": "req_1"}
    gone = partial(answered, status=404, json={"error": error})
    visit.page.route("**/v2/jobs/*/results/*", gone, times=1)
    with visit.page.expect_download() as zipped:
        visit.page.click("#job-zip")
    with zipfile.ZipFile(saved(zipped.value)) as archive:
        assert len(archive.namelist()) == 3
    assert "some results have expired" in visit.page.inner_text("#job-alert")


def test_the_page_shows_the_job_after_a_reload(visit: Visit, album: Path) -> None:
    choose(visit, album)
    visit.page.click("#go")
    visit.page.wait_for_selector("#job:not([data-state=draft]):not([data-state=open])")
    visit.reload()
    wait_for_end(visit)
    assert visit.page.inner_text("#job-title") == "4 of 5 photos done, 1 failed"
    assert visit.page.is_visible("#job-zip")


def test_a_paused_job_can_be_cancelled(visit: Visit, album: Path) -> None:
    key = issue(visit.api.env, funds=1)
    choose(visit, album, key)
    assert "The balance is 1. When it is used up" in visit.page.inner_text("#hint")
    visit.page.click("#go")
    alert = "() => document.getElementById('job-alert').textContent.includes('Paused')"
    visit.page.wait_for_function(alert, timeout=ENDED_MS)
    visit.page.once("dialog", lambda dialog: dialog.dismiss())
    visit.page.click("#job-cancel")
    assert job_of(visit, key)["state"] == "paused"
    visit.page.once("dialog", lambda dialog: dialog.accept())
    visit.page.click("#job-cancel")
    visit.page.wait_for_selector("#job[data-state=cancelled]")
    assert "the job ends a few minutes after it was cancelled" in visit.page.inner_text("#job-text")
    assert visit.page.evaluate("document.activeElement.id") == "job-title"
    assert job_of(visit, key)["state"] == "cancelled"
    assert visit.balance(key) == 0


def test_a_job_is_not_found_with_a_key_of_another_account(visit: Visit, album: Path) -> None:
    choose(visit, album)
    visit.page.click("#go")
    wait_for_end(visit)
    visit.page.click("#key-forget")
    visit.use_key(visit.api.other_key)
    alert = "() => document.getElementById('job-alert').textContent.includes('No job with this id')"
    visit.page.wait_for_function(alert)


def test_the_page_with_a_job_fits_the_window_and_axe_finds_no_serious_problem(
    screen: BrowserContext, served: Api, album: Path
) -> None:
    long = album / f"{'a long name ' * 12}.jpg"
    long.write_bytes(b"this is not an image")
    visit = Visit.started(screen, served)
    choose(visit, album, issue(served.env))
    assert fits(visit.page)
    assert serious(visit.page) == []
    visit.page.click("#go")
    wait_for_end(visit)
    visit.page.click("#job-failed")
    assert fits(visit.page)
    assert serious(visit.page) == []

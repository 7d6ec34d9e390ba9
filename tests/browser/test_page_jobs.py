"""Folders on the page: a bulk job from the choice of the folder to the ZIP."""

from __future__ import annotations

import json
import re
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from tests.browser.photos import answered, files, picture
from tests.browser.visit import Visit, fits, serious
from tests.integration.storage.conftest import Api, issue, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Download, Route

UPLOADS = "**/media/jobs"
ENDED_MS = 100_000
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
"""Counts the listeners of signals that can still be aborted."""


@pytest.fixture(scope="session")
def without_jobs(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Api]:
    """A server without storage, which therefore has no jobs."""
    yield from serve(tmp_path_factory.mktemp("plain"), model_dir, BLUR_MEDIA="")


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Return a folder with four photos, a broken one, and files that are not photos."""
    folder = tmp_path / "summer"
    for name in ("a.jpg", "b.png", "sub/a.jpg", "sub/ä b.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture())
    (folder / "broken.jpg").write_bytes(b"this is not an image")
    (folder / "notes.txt").write_bytes(b"text")
    (folder / ".hidden.jpg").write_bytes(picture())
    return folder


def choose(visit: Visit, album: Path, key: str | None = None) -> None:
    """Use a key and choose the folder."""
    visit.use_key(key or visit.api.key)
    visit.page.wait_for_selector("#key-known:visible")
    visit.page.set_input_files("#folder", album)
    visit.page.wait_for_selector("#job[data-state=draft]")


def wait_for_title(visit: Visit, text: str) -> None:
    script = "(text) => document.getElementById('job-title').textContent.includes(text)"
    visit.page.wait_for_function(script, arg=text, timeout=ENDED_MS)


def wait_for_end(visit: Visit) -> None:
    visit.page.wait_for_selector("#job[data-state=done]", timeout=ENDED_MS)


def saved(download: Download) -> Path:
    return Path(download.path())


def job_of(visit: Visit, key: str) -> Any:  # noqa: ANN401 - any JSON
    """Return the API's document of the page's job."""
    job_id = visit.page.inner_text("#job-id")
    url = f"{visit.api.server.url}/v2/jobs/{job_id}"
    return requests.get(url, headers={"ApiKey": key}, timeout=30).json()


def test_a_folder_becomes_a_zip_and_a_manifest_and_each_photo_is_charged_once(
    sized: Visit, album: Path
) -> None:
    key = issue(sized.api.env)
    choose(sized, album, key)
    assert sized.page.inner_text("#job-title") == "5 photos from summer"
    assert sized.page.inner_text("#go") == "Blur 5 photos"
    hint = sized.page.inner_text("#hint")
    assert hint == "At most 5 credits. Photos that fail are free."
    assert "JPEG, for all photos" in sized.page.inner_text("#format-note")
    assert fits(sized.page)
    sized.page.click("#go")
    wait_for_end(sized)
    assert sized.page.inner_text("#job-title") == "4 of 5 photos done, 1 failed"
    assert "4 credits charged" in sized.page.inner_text("#job-text")
    assert sized.balance(key) == 96
    assert fits(sized.page)
    sized.page.click("#job-failed")
    failure = sized.page.inner_text("#job-failure-items")
    assert failure.startswith("broken.jpg\n")
    assert "cannot be read" in failure
    with sized.page.expect_download() as zipped:
        sized.page.click("#job-zip")
    assert zipped.value.suggested_filename == "summer.zip"
    with zipfile.ZipFile(saved(zipped.value)) as archive:
        assert archive.testzip() is None
        names = ["a.jpg", "b.jpg", "sub/a.jpg", "sub/ä b.jpg"]
        assert sorted(archive.namelist()) == names
        assert all(archive.read(name).startswith(b"\xff\xd8\xff") for name in names)
    with sized.page.expect_download() as listed:
        sized.page.click("#job-manifest")
    rows = [json.loads(line) for line in saved(listed.value).read_text("utf-8").splitlines()]
    assert {row["source"]: row["credits"] for row in rows} == {
        **dict.fromkeys(["a.jpg", "b.png", "sub/a.jpg", "sub/ä b.jpg"], 1),
        "broken.jpg": 0,
    }
    sized.page.click("#job-remove")
    assert sized.page.is_hidden("#job")
    sized.page.reload()
    sized.page.wait_for_selector("#key-known:visible")
    assert sized.page.is_hidden("#job")
    assert not sized.errors


def test_requests_and_pauses_that_have_ended_leave_no_listeners(visit: Visit, album: Path) -> None:
    """A listener keeps a whole result in memory, and a job can have 50,000 results."""
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


def test_a_reload_continues_to_show_the_job(visit: Visit, album: Path) -> None:
    choose(visit, album)
    visit.page.click("#go")
    visit.page.wait_for_selector("#job:not([data-state=draft]):not([data-state=open])")
    visit.page.reload()
    wait_for_end(visit)
    assert visit.page.inner_text("#job-title") == "4 of 5 photos done, 1 failed"
    assert visit.page.is_visible("#job-zip")


def test_an_upload_that_a_reload_interrupted_is_continued_with_the_missing_photos(
    visit: Visit, album: Path
) -> None:
    key = issue(visit.api.env)
    passed: list[str] = []

    def pass_two(route: Route) -> None:
        if len(passed) < 2:
            passed.append(route.request.url)
            route.continue_()  # the other uploads never get a response

    visit.page.route(UPLOADS, pass_two)
    choose(visit, album, key)
    visit.page.click("#go")
    wait_for_title(visit, "Uploading 2 of 5")
    visit.page.on("dialog", lambda dialog: dialog.accept())
    visit.page.reload()
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


def test_the_uploaded_photos_can_be_processed_without_the_missing_ones(
    visit: Visit, album: Path
) -> None:
    # The page uploads three photos at a time: the fourth upload starts after another one has ended.
    # The failure of one upload interrupts the other two, which can have arrived by then.
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


def test_a_failed_upload_is_repeated_and_a_large_photo_is_listed(visit: Visit, album: Path) -> None:
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
    assert "the job ends a few minutes later" in visit.page.inner_text("#job-text")
    assert visit.page.evaluate("document.activeElement.id") == "job-title"
    assert job_of(visit, key)["state"] == "cancelled"
    assert visit.balance(key) == 0


def test_a_key_of_another_account_cannot_see_the_job(visit: Visit, album: Path) -> None:
    choose(visit, album)
    visit.page.click("#go")
    wait_for_end(visit)
    visit.page.click("#key-forget")
    visit.use_key(visit.api.other_key)
    alert = "() => document.getElementById('job-alert').textContent.includes('no such job')"
    visit.page.wait_for_function(alert)


def test_many_photos_become_a_job_and_few_photos_become_a_list(visit: Visit) -> None:
    visit.page.set_input_files("#file", files(*(f"{number}.jpg" for number in range(24))))
    visit.page.wait_for_selector("#queue:visible")
    assert visit.page.is_hidden("#job")
    visit.page.set_input_files("#file", files(*(["same.jpg"] * 2), *map(str, range(23))))
    visit.page.wait_for_selector("#job[data-state=draft]")
    assert visit.page.inner_text("#job-title") == "25 photos"
    visit.page.click("#job-remove")
    assert visit.page.is_visible("#queue")


def test_a_dropped_folder_becomes_a_job(visit: Visit, album: Path) -> None:
    devtools = visit.page.context.new_cdp_session(visit.page)
    data = {"items": [], "files": [str(album)], "dragOperationsMask": 1}
    for step in ("dragEnter", "dragOver", "drop"):
        event = {"type": step, "x": 300, "y": 300, "data": data}
        devtools.send("Input.dispatchDragEvent", event)
    visit.page.wait_for_selector("#job[data-state=draft]")
    assert visit.page.inner_text("#job-title") == "5 photos from summer"


def test_a_folder_without_photos_is_an_error(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"text")
    visit.page.set_input_files("#folder", tmp_path)
    assert "no photo in this folder" in visit.failure()
    assert visit.page.is_hidden("#job")


def test_a_server_without_jobs_offers_no_folders(chromium: Browser, without_jobs: Api) -> None:
    context = chromium.new_context()
    visit = Visit.begun(context, without_jobs)
    assert visit.page.is_hidden("#choose-folder")
    visit.page.set_input_files("#file", files(*map(str, range(25))))
    visit.page.wait_for_selector("#queue:visible")
    assert visit.page.is_hidden("#job")
    context.close()


def test_a_job_fits_the_window_and_axe_finds_no_serious_problem(
    screen: BrowserContext, served: Api, album: Path
) -> None:
    long = album / f"{'a long name ' * 12}.jpg"
    long.write_bytes(b"this is not an image")
    visit = Visit.begun(screen, served)
    choose(visit, album, issue(served.env))
    assert fits(visit.page)
    assert serious(visit.page) == []
    visit.page.click("#go")
    wait_for_end(visit)
    visit.page.click("#job-failed")
    assert fits(visit.page)
    assert serious(visit.page) == []

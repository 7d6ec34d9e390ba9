"""The page shows up to 24 chosen photos as a list, and makes a bulk job of more photos."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.browser.photos import files
from tests.browser.visit import Visit
from tests.integration.storage.conftest import Api, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def without_jobs(tmp_path_factory: pytest.TempPathFactory, model_dir: Path) -> Iterator[Api]:
    """Start a server without storage, which therefore has no bulk jobs."""
    yield from serve(tmp_path_factory.mktemp("plain"), model_dir, BLUR_MEDIA="")


def test_the_page_shows_24_photos_as_a_list_and_25_photos_as_a_job(visit: Visit) -> None:
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


def test_earlier_results_in_a_folder_are_skipped(visit: Visit, tmp_path: Path) -> None:
    names = [
        "a.jpg",
        "a-blurred.jpg",
        "b.heic",
        "b-cutout.png",
        "not-blurred-yet.png",
        "a-blurred (1).jpg",
    ]
    for name in names:
        (tmp_path / name).write_bytes(b"photo")
    visit.page.set_input_files("#folder", tmp_path)
    visit.page.wait_for_selector("#job[data-state=draft]")
    assert visit.page.inner_text("#job-title").startswith("3 photos from")


def test_a_folder_without_photos_shows_an_error(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"text")
    visit.page.set_input_files("#folder", tmp_path)
    assert "no photo in this folder" in visit.failure()
    assert visit.page.is_hidden("#job")


def test_no_folder_can_be_chosen_if_the_server_has_no_bulk_jobs(
    chromium: Browser, without_jobs: Api
) -> None:
    context = chromium.new_context()
    visit = Visit.started(context, without_jobs)
    assert visit.page.is_hidden("#choose-folder")
    visit.page.set_input_files("#file", files(*map(str, range(25))))
    visit.page.wait_for_selector("#queue:visible")
    assert visit.page.is_hidden("#job")
    context.close()

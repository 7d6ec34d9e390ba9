"""The page sends a folder of photos; kill -9 ends the browser, the server and workers.

Afterwards the ZIP, the manifest, the balance, the audit and the usage agree. The trial runs on one
machine and on emulated AWS services. On AWS the photos and the results are at another origin: the
page's policy has to allow the bucket, and the bucket's CORS rule has to allow the page.
"""

from __future__ import annotations

import json
import os
import re
import signal
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Error
from tests.aws.aws_engine import api_environment, aws_engine
from tests.browser.conftest import CHROMIUM_OPTIONS, chromium_path
from tests.browser.visit import Visit
from tests.faults.processes import arguments_of, descendants, require_gone
from tests.integration.jobs.album import fill_album, number_of
from tests.integration.jobs.disc_model import write_disc_model
from tests.integration.jobs.served_api import Buyer, ServedApi, require_bill, served
from tests.integration.running import environment
from tests.integration.storage.conftest import Api
from tests.trials import size

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext
    from tests.integration.accounts.dynamodb_local import DynamoDBLocal

pytestmark = pytest.mark.usefixtures("long_timeouts")

PHOTOS = size(100, full=200)
TIME_MS = 120_000
INTERRUPTED = f"The upload was interrupted after ([0-9]+) of {PHOTOS} photos"


@contextmanager
def browser(chromium: Browser, profile: Path) -> Iterator[BrowserContext]:
    """Open a browser; the next browser with the same profile has the same storage."""
    context = chromium.browser_type.launch_persistent_context(
        profile, executable_path=chromium_path(), args=CHROMIUM_OPTIONS
    )
    try:
        yield context
    finally:
        with suppress(Error):  # Playwright cannot close a browser that the test has killed
            context.close()


def kill_browser(profile: Path) -> None:
    """Kill all processes of the browser with this profile."""
    option = f"--user-data-dir={profile}"
    members = [pid for pid in descendants(os.getpid())[1:] if option in arguments_of(pid)]
    assert members
    for pid in members:
        with suppress(ProcessLookupError):  # the process has ended with its parent
            os.kill(pid, signal.SIGKILL)
    require_gone(members)


def complete_folder(
    chromium: Browser, folder: Path, api: ServedApi, *, kill_one: Callable[[], None]
) -> Visit:
    """Send a folder with the page, kill processes, and check every file that the page saves."""
    numbers = fill_album(folder / "album", PHOTOS)
    buyer, profile = api.issue(), folder / "profile"
    with browser(chromium, profile) as context:
        visit = begin(context, api, buyer)
        choose(visit, folder / "album")
        visit.page.wait_for_selector("#job[data-state=draft]")
        visit.page.click("#go")
        wait_until_sent(visit, PHOTOS // 5)
        kill_browser(profile)
    with browser(chromium, profile) as context:
        visit = begin(context, api, buyer)
        visit.page.wait_for_selector("#job-again:visible")
        interrupted = re.match(INTERRUPTED, visit.page.inner_text("#job-title"))
        assert interrupted
        assert PHOTOS // 5 <= int(interrupted[1]) < PHOTOS
        choose(visit, folder / "album", button="#job-again")
        wait_until_sent(visit, PHOTOS // 2)
        kill_one()
        wait_for_end(visit)
        results, rows = results_of(visit), rows_of(visit)
        assert visit.errors == []
    assert {name: number_of(data) for name, data in results.items()} == numbers
    assert sorted(row["source"] for row in rows) == sorted(numbers)
    assert {(row["state"], row["credits"]) for row in rows} == {("done", 1)}
    require_bill(api, buyer, rows)
    return visit


def begin(context: BrowserContext, api: ServedApi, buyer: Buyer) -> Visit:
    """Open the page, and enter the key if the browser has not stored the key."""
    visit = Visit.started(context, Api(api.server, buyer.key, buyer.key, dict(api.env)))
    visit.page.on("dialog", lambda dialog: dialog.accept())
    if visit.page.is_visible("#key"):
        visit.use_key(buyer.key)
    visit.page.wait_for_selector("#key-known:visible")
    return visit


def choose(visit: Visit, album: Path, button: str = "#choose-folder") -> None:
    """Choose the folder."""
    with visit.page.expect_file_chooser() as chooser:
        visit.page.click(button)
    chooser.value.set_files(album)


def wait_until_sent(visit: Visit, count: int) -> None:
    """Wait until this number of photos is uploaded."""
    visit.page.wait_for_function(
        """(count) => {
          const title = document.getElementById("job-title").textContent;
          return Number(/^Uploading (\\d+)/.exec(title)?.[1]) >= count;
        }""",
        arg=count,
        timeout=TIME_MS,
    )


def wait_for_end(visit: Visit) -> None:
    """Wait until the job is done; after a timeout, raise an error with the text of `#job`."""
    try:
        visit.page.wait_for_selector("#job[data-state=done]", timeout=TIME_MS)
    except Error as error:
        raise AssertionError(visit.page.inner_text("#job")) from error


def results_of(visit: Visit) -> dict[str, bytes]:
    """Save the ZIP, and return its files."""
    with visit.page.expect_download(timeout=TIME_MS) as zipped:
        visit.page.click("#job-zip")
    with zipfile.ZipFile(zipped.value.path()) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def rows_of(visit: Visit) -> list[dict[str, Any]]:
    """Save the manifest, and return its rows."""
    with visit.page.expect_download() as listed:
        visit.page.click("#job-manifest")
    lines = Path(listed.value.path()).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.timeout(600)
def test_the_job_of_a_folder_is_completed_on_one_machine_after_the_browser_and_server_are_killed(
    chromium: Browser, tmp_path: Path
) -> None:
    settings = {"BLUR_JOB_FREE_BYTES": "0", "BLUR_JOB_WORKERS": "2", "BLUR_HOLD_TTL_S": "12"}
    settings |= {"BLUR_DEADLINE_MARGIN_S": "1", "BLUR_INFERENCE_THREADS": "1"}
    env = environment(tmp_path, write_disc_model(tmp_path), **settings)
    with served(tmp_path, env, "--workers", "2") as api:
        complete_folder(chromium, tmp_path, api, kill_one=api.restart)


@pytest.mark.timeout(600)
def test_a_folder_is_completed_on_aws_after_the_browser_a_worker_and_the_server_are_killed(
    chromium: Browser, tmp_path: Path, dynamodb: DynamoDBLocal
) -> None:
    models = write_disc_model(tmp_path)
    table = dynamodb.create_table("killed-page")
    with aws_engine(tmp_path, dynamodb, table, models) as engine:
        env = api_environment(engine, tmp_path, dynamodb, models)
        with served(tmp_path, env) as api, engine.scheduled_keeper():

            def kill_worker_and_server() -> None:
                engine.kill_worker()
                api.restart()

            visit = complete_folder(chromium, tmp_path, api, kill_one=kill_worker_and_server)
    bucket = engine.stack.emulator.url
    sent = [url for url in visit.asked if url.startswith(bucket)]
    assert len(sent) > PHOTOS  # the page uploads to the bucket and downloads from the bucket

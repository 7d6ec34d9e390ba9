"""Functions for tests that process a folder of photos as a bulk job on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.visit import Visit

ENDED_MS = 100_000


def choose(visit: Visit, album: Path, key: str | None = None) -> None:
    """Use a key and choose the folder."""
    visit.use_valid_key(key or visit.api.key)
    visit.page.set_input_files("#folder", album)
    visit.page.wait_for_selector("#job[data-state=draft]")


def wait_for_title(visit: Visit, text: str) -> None:
    script = "(text) => document.getElementById('job-title').textContent.includes(text)"
    visit.page.wait_for_function(script, arg=text, timeout=ENDED_MS)


def wait_for_end(visit: Visit) -> None:
    visit.page.wait_for_selector("#job[data-state=done]", timeout=ENDED_MS)


def job_of(visit: Visit, key: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the API's document about the job that the page shows."""
    job_id = visit.page.inner_text("#job-id")
    url = f"{visit.api.server.url}/v2/jobs/{job_id}"
    return requests.get(url, headers={"ApiKey": key}, timeout=30).json()

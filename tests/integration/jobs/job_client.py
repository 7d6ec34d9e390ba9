"""A small client for the job routes, for tests of a real server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import requests
from tests.integration.availability import until_available

if TYPE_CHECKING:
    from collections.abc import Mapping

WAIT_S = 120
JOB_S = 600
"""The longest time for all photos of a job, on a loaded machine."""
PAUSE_S = 0.2
"""The pause between two requests for a job's document; shorter pauses cost much CPU time."""
PARALLEL = 4

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class JobClient:
    """Creates, changes and reads jobs with one key."""

    url: str
    key: str
    repeats: bool = False
    """Whether the client repeats requests that get a 503 because the store cannot be reached."""

    def create(self, **parameters: str) -> Document:
        return self.ask("POST", "/v2/jobs", json=parameters)

    def upload(self, job: Document, source: str, photo: bytes) -> requests.Response:
        return self.send(job, {"key": job["upload"]["prefix"] + source}, photo)

    def send(self, job: Document, fields: Mapping[str, str], photo: bytes) -> requests.Response:
        """Upload a photo with a job's form and these fields, to the server's current port."""
        form = {**job["upload"]["fields"], **fields}
        address = urljoin(self.url, urlsplit(job["upload"]["url"]).path)
        return requests.post(address, data=form, files={"file": photo}, timeout=WAIT_S)

    def upload_all(self, job: Document, photos: Mapping[str, bytes]) -> None:
        """Upload photos, several at the same time, and check that each is accepted."""

        def upload(item: tuple[str, bytes]) -> int:
            return self.upload(job, *item).status_code

        with ThreadPoolExecutor(PARALLEL) as threads:
            assert set(threads.map(upload, photos.items())) <= {204}

    def show(self, job: Document) -> Document:
        return self.ask("GET", f"/v2/jobs/{job['job_id']}")

    def close(self, job: Document) -> Document:
        return self.ask("POST", f"/v2/jobs/{job['job_id']}/close")

    def cancel(self, job: Document) -> Document:
        return self.ask("DELETE", f"/v2/jobs/{job['job_id']}")

    def manifest(self, job: Document) -> list[Document]:
        response = self.call("GET", f"/v2/jobs/{job['job_id']}/manifest")
        assert response.status_code == 200
        return [json.loads(line) for line in response.text.splitlines()]

    def result(self, line: Document) -> bytes:
        response = self.call("GET", line["result"])
        assert response.status_code == 200
        return response.content

    def until(self, job: Document, holds: Callable[[Document], bool]) -> Document:
        """Wait until the job meets the condition; return the job's document."""
        deadline = time.monotonic() + JOB_S
        while True:
            shown = self.call("GET", f"/v2/jobs/{job['job_id']}")
            is_limited = shown.status_code == HTTPStatus.TOO_MANY_REQUESTS
            assert shown.ok or is_limited, shown.text
            document: Document = shown.json()
            if shown.ok and holds(document):
                return document
            assert time.monotonic() < deadline, document
            time.sleep(int(shown.headers["Retry-After"]) if is_limited else PAUSE_S)

    def until_ended(self, job: Document, count: int) -> Document:
        """Wait until this number of photos has a final state; return the job's document."""
        return self.until(job, lambda document: ended(document) >= count)

    def ask(self, method: str, path: str, **options: Any) -> Document:  # noqa: ANN401 - any options of `requests`
        response = self.call(method, path, **options)
        assert response.ok, response.text
        document: Document = response.json()
        return document

    def call(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 - any options of `requests`
        address, headers = urljoin(self.url, path), {"ApiKey": self.key}
        send = partial(
            requests.request, method, address, headers=headers, timeout=WAIT_S, **options
        )
        return until_available(send) if self.repeats else send()


def ended(document: Document) -> int:
    """Return how many photos of the job are done, failed or cancelled."""
    counts = document["counts"]
    return int(counts["done"] + counts["failed"] + counts["cancelled"])


def names(count: int) -> Iterable[str]:
    """Return this many different photo names."""
    return (f"photos/{number:04}.jpg" for number in range(count))

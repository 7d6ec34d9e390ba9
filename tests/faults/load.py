"""Clients that keep a server busy during a fault, and record their responses."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import requests
from events import make
from tests.faults.responses import BROKEN, PICTURE, Outcome, outcome

if TYPE_CHECKING:
    from tests.faults.balances import Balances

UNAVAILABLE = "temporarily_unavailable"
PHOTO = make.jpeg()
"""A small photo, because the trials test the service and not the network."""
WAIT_S = 60
PAUSE_S = 0.02


@dataclass
class Load:
    """The outcomes so far, with the `Idempotency-Key` of each request."""

    url: str
    key: str
    seen: list[tuple[str, Outcome]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def kinds(self, begin: int = 0) -> Counter[str]:
        """Count the outcomes by kind, without the first `begin` outcomes."""
        return Counter(seen.kind for _, seen in self.seen[begin:])

    def pictures(self) -> int:
        """Return the number of delivered results."""
        return self.kinds()[PICTURE]

    def wait_for(self, kind: str, count: int = 1, *, begin: int = 0) -> None:
        """Wait until `count` outcomes have this kind; the first `begin` outcomes do not count."""
        deadline = time.monotonic() + WAIT_S
        while self.kinds(begin)[kind] < count:
            assert time.monotonic() < deadline, f"only {self.kinds(begin)} in {WAIT_S} s"
            time.sleep(PAUSE_S)

    def post(self, idempotency_key: str | None = None) -> Outcome:
        """Send one photo and record its outcome."""
        idempotency_key = idempotency_key or uuid.uuid4().hex
        seen = post(self.url, self.key, idempotency_key)
        self.seen.append((idempotency_key, seen))
        return seen

    def run(self) -> None:
        """Send one photo after another until `stopping` is set."""
        while not self.stopping.is_set():
            if self.post().kind != PICTURE:
                time.sleep(PAUSE_S)


def summarize_outages(clients: Load, balances: Balances, *, hold_ttl_s: float) -> str:
    """Summarize the outcomes, for docs/reliability.md.

    Require that clients got only results and 503, and that no more calls were charged than got
    results.
    """
    kinds = clients.kinds()
    assert set(kinds) == {PICTURE, UNAVAILABLE}
    used = balances.settled(after_s=hold_ttl_s)
    assert used <= kinds[PICTURE]
    longest_s = max(seen.seconds for _, seen in clients.seen)
    return (
        f"{kinds[UNAVAILABLE]} calls got 503 and {kinds[PICTURE]} got results; {used} were "
        f"charged; no credit was lost; the longest call took {longest_s:.1f} s; after each fault, "
        f"calls succeeded again"
    )


def post(url: str, key: str, idempotency_key: str) -> Outcome:
    """Send one photo on a new connection."""
    began = time.monotonic()
    try:
        response = requests.post(
            url,
            headers={"ApiKey": key, "Idempotency-Key": idempotency_key, "Connection": "close"},
            files={"image": PHOTO},
            data={"radius": "9"},
            timeout=WAIT_S,
            allow_redirects=False,
        )
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
        return Outcome(BROKEN)
    took_s = time.monotonic() - began
    return outcome(response.status_code, response.headers, response.content, took_s)


@contextmanager
def load(
    url: str, key: str, clients: int, client: Callable[[Load], None] = Load.run
) -> Iterator[Load]:
    """Run clients until the `with` block ends; then wait for the last outcome of each client."""
    created = Load(url, key)
    with ThreadPoolExecutor(clients) as pool:
        at_work = [pool.submit(client, created) for _ in range(clients)]
        try:
            yield created
        finally:
            created.stopping.set()
    for one in at_work:
        one.result()

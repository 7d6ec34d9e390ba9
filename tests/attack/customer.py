"""A customer who uses the service normally, and measures throughput and response times."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import requests

HEALTH_TIMEOUT_S = 5.0
HEALTH_PAUSE_S = 0.1
PHOTO_TIMEOUT_S = 10.0
RETRY_PAUSE_S = 0.1
LONGEST = 4


@dataclass(frozen=True, slots=True)
class Service:
    """The throughput, the slowest response of /health and the number of failed calls."""

    photos_per_s: float
    slowest_health_s: float
    refusals: int

    def __str__(self) -> str:
        return (
            f"{self.photos_per_s:.2f} photos per second, /health within "
            f"{1000 * self.slowest_health_s:.0f} ms, {self.refusals} failed calls"
        )


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer with an API key, who sends one photo after another."""

    url: str
    key: str
    photo: bytes = field(repr=False)

    def send_photo(self, session: requests.Session) -> bool:
        """Send one photo; return whether the result arrived."""
        try:
            answer = session.post(
                f"{self.url}/v2/rembg/blur/",
                headers={"ApiKey": self.key},
                files={"image": self.photo},
                data={"radius": "12", "format": "jpeg"},
                timeout=PHOTO_TIMEOUT_S,
            )
        except requests.RequestException:
            return False
        return answer.ok

    def wait_for_service(self, timeout_s: float) -> None:
        """Wait until a result arrives.

        Raises:
            TimeoutError: no result arrives in time.

        """
        deadline = time.monotonic() + timeout_s
        with requests.Session() as session:
            while not self.send_photo(session):
                if time.monotonic() > deadline:
                    message = f"no result arrived within {timeout_s} s"
                    raise TimeoutError(message)
                time.sleep(RETRY_PAUSE_S)

    def measure(self, window_s: float, *, least_photos: int = 0) -> Service:
        """Send photos for `window_s`, and request /health in parallel.

        If fewer than `least_photos` results have arrived, continue, but stop after `LONGEST` times
        `window_s`.
        """
        done, refusals = 0, 0
        with requests.Session() as session, self._health_watched() as waits_s:
            began = time.monotonic()
            while (took_s := time.monotonic() - began) < window_s or (
                done < least_photos and took_s < LONGEST * window_s
            ):
                if self.send_photo(session):
                    done += 1
                else:
                    refusals += 1
                    time.sleep(RETRY_PAUSE_S)
            took_s = time.monotonic() - began
        return Service(done / took_s, max(waits_s), refusals)

    @contextmanager
    def _health_watched(self) -> Iterator[list[float]]:
        """Request /health repeatedly, on new connections; yield the list of response times."""
        waits_s: list[float] = []
        stopping = threading.Event()

        def watch() -> None:
            while not stopping.is_set():
                waits_s.append(self.health_s())
                stopping.wait(HEALTH_PAUSE_S)

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield waits_s
        finally:
            stopping.set()
            watcher.join()

    def health_s(self) -> float:
        """Return the time that /health took, or the timeout if the request failed."""
        began = time.monotonic()
        try:
            answer = requests.get(f"{self.url}/health", timeout=HEALTH_TIMEOUT_S)
        except requests.RequestException:
            return HEALTH_TIMEOUT_S
        return time.monotonic() - began if answer.ok else HEALTH_TIMEOUT_S

"""Prometheus metrics of the server: responses, steps, queue, workers, credits.

Metrics are off by default. They are served at a separate address, never on the public port.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from blur.credits import ZERO, credits_number

if TYPE_CHECKING:
    from blur.api.response_record import ResponseRecord
    from blur.jobs.model import JobObject

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Upper bounds of the histograms' buckets, for times from the fastest error to the slowest
photo."""

Address: TypeAlias = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True, slots=True)
class PoolState:
    """The current state of the worker pool."""

    workers: int
    """Processes that are running."""
    busy: int
    """Processes that are processing a call."""
    waiting: int
    """Photos in the queue."""


@dataclass(frozen=True, slots=True)
class ObjectsState:
    """The current numbers of unfinished photos of jobs."""

    running: int = 0
    """Photos that workers process."""
    waiting: int = 0
    """Photos that wait or are being processed, except in paused jobs."""


class ServerMetrics:
    """The metrics of one server process."""

    def __init__(
        self,
        pool_state: Callable[[], PoolState],
        objects_state: Callable[[], ObjectsState] = ObjectsState,
    ) -> None:
        """Create all metrics in a separate registry."""
        # Imported here, because most servers start without metrics.
        from prometheus_client import CollectorRegistry, Counter, Histogram  # noqa: PLC0415

        self.registry = CollectorRegistry()
        self._responses = Counter(
            "bgblur_answers",
            "Responses, by route, status and error code.",
            ["route", "status", "code"],
            registry=self.registry,
        )
        self._response_seconds = Histogram(
            "bgblur_answer_seconds",
            "Seconds from a request's head to its response, by route.",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._step_seconds = Histogram(
            "bgblur_step_seconds",
            "Seconds for each step of processing a photo.",
            ["step"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._credits = Counter(
            "bgblur_credits_charged", "Credits charged.", registry=self.registry
        )
        self._megapixels = Counter(
            "bgblur_megapixels",
            "Megapixels of the photos in successful calls and jobs.",
            registry=self.registry,
        )
        self._bytes = Counter(
            "bgblur_bytes",
            "Bytes in the bodies of requests, except uploads, and of responses.",
            ["direction"],
            registry=self.registry,
        )
        self._job_photos_ended = Counter(
            "bgblur_job_photos_ended",
            "Job photos that are done, failed or cancelled, by state and error code.",
            ["state", "code"],
            registry=self.registry,
        )
        self._add_gauge("workers", "Running processes.", lambda: pool_state().workers)
        self._add_gauge(
            "workers_busy", "Processes that are processing a call.", lambda: pool_state().busy
        )
        self._add_gauge("queue_photos", "Photos in the queue.", lambda: pool_state().waiting)
        self._add_gauge(
            "workers_on_jobs",
            "Processes that are processing a photo of a job.",
            lambda: objects_state().running,
        )
        self._add_gauge(
            "job_photos",
            "Photos that wait or are being processed, in jobs that are not paused.",
            lambda: objects_state().waiting,
        )

    def observe(self, record: ResponseRecord, seconds: float) -> None:
        """Count one response, which was ready `seconds` after the request's head arrived."""
        self._responses.labels(record.path, str(record.status), record.code or "").inc()
        self._response_seconds.labels(record.path).observe(seconds)
        for step, step_ms in record.steps_ms.items():
            self._step_seconds.labels(step).observe(step_ms / 1000)
        self._credits.inc(credits_number(record.credits or ZERO))
        self._megapixels.inc(record.megapixels)
        self._bytes.labels("in").inc(record.bytes_in)
        self._bytes.labels("out").inc(record.bytes_out)

    def observe_object(self, row: JobObject, steps_ms: Mapping[str, float]) -> None:
        """Count one photo of a job that is done, failed or cancelled; `row` is its final row."""
        self._job_photos_ended.labels(row.state, row.code or "").inc()
        for step, step_ms in steps_ms.items():
            self._step_seconds.labels(step).observe(step_ms / 1000)
        self._credits.inc(credits_number(row.charged))
        self._megapixels.inc(row.pixels / 1_000_000)

    @contextmanager
    def served(self, address: Address) -> Iterator[int]:
        """Serve the metrics over HTTP until the context ends; yield the port.

        Raises:
            OSError: the address is in use or does not exist.

        """
        from prometheus_client import start_http_server  # noqa: PLC0415

        host, port = address
        server, thread = start_http_server(port, host, registry=self.registry)
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _add_gauge(self, name: str, text: str, read: Callable[[], int]) -> None:
        from prometheus_client import Gauge  # noqa: PLC0415

        Gauge(f"bgblur_{name}", text, registry=self.registry).set_function(read)

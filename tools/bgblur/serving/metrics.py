"""Prometheus metrics of the server: responses, steps, queue, workers, credits.

They are off by default, and are served at a separate address, never on the public port.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

if TYPE_CHECKING:
    from bgblur.serving.proxy import Reply

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Upper bounds of the histograms' buckets: from an error response to the longest photo."""
MAX_ERROR_BYTES = 10_000


Address: TypeAlias = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True, slots=True)
class PoolState:
    """The current state of the worker pool."""

    workers: int
    """Processes that are running."""
    busy: int
    """Processes that are blurring a photo."""
    waiting: int
    """Photos in the queue."""


class ServerMetrics:
    """The metrics of one server process."""

    def __init__(self, pool_state: Callable[[], PoolState]) -> None:
        """Create all metrics in a separate registry."""
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
            "Seconds of each step of blurring a photo.",
            ["step"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._credits = Counter(
            "bgblur_credits_charged", "Credits charged.", registry=self.registry
        )
        self._add_gauge("workers", "Running processes.", lambda: pool_state().workers)
        self._add_gauge(
            "workers_busy", "Processes that are blurring a photo.", lambda: pool_state().busy
        )
        self._add_gauge("queue_photos", "Photos in the queue.", lambda: pool_state().waiting)

    def observe(self, route: str, reply: Reply, seconds: float) -> None:
        """Count one response; `route` is one of the server's routes, or `UNROUTED`."""
        self._responses.labels(route, str(reply.status), _error_code(reply)).inc()
        self._response_seconds.labels(route).observe(seconds)
        for name, value in reply.headers:
            match name:
                case b"x-credits-charged":
                    self._credits.inc(float(value))
                case b"server-timing":
                    self._observe_steps(value.decode("latin-1"))

    @contextmanager
    def served(self, address: Address) -> Iterator[int]:
        """Serve the metrics over HTTP until the context ends; yield the port.

        Raises:
            OSError: the address is in use or does not exist.

        """
        host, port = address
        server, thread = start_http_server(port, host, registry=self.registry)
        try:
            yield server.server_port
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _add_gauge(self, name: str, text: str, read: Callable[[], int]) -> None:
        Gauge(f"bgblur_{name}", text, registry=self.registry).set_function(read)

    def _observe_steps(self, server_timing: str) -> None:
        """Read `decode;dur=55.1, matte;dur=277.0` (W3C Server Timing)."""
        for entry in server_timing.split(","):
            name, _, duration = entry.strip().partition(";dur=")
            with suppress(ValueError):
                self._step_seconds.labels(name).observe(float(duration) / 1000)


def _error_code(reply: Reply) -> str:
    if reply.status < HTTPStatus.BAD_REQUEST or len(reply.body) > MAX_ERROR_BYTES:
        return ""
    try:
        document = json.loads(reply.body)
        error = document["error"] if "error" in document else document["errors"][0]
        return str(error["code"])
    except (ValueError, KeyError, TypeError, IndexError):
        return ""

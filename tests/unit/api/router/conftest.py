"""A router with handlers that record requests, respond or fail."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import Response
from events import make

from blur.accounts.model import Instant
from blur.api import response
from blur.api.cloudwatch import cloudwatch_metrics
from blur.api.router import Router
from blur.errors import InternalError, UnavailableError
from blur.parameter_errors import InvalidRadiusError

if TYPE_CHECKING:
    from blur.api.request import HttpRequest
    from blur.api.router import HttpResponse, Routes


class Lambda:
    """A context object like the one that Lambda passes to a handler, with fixed values."""

    aws_request_id = "invocation-1"

    def get_remaining_time_in_millis(self) -> int:
        return 7


CONTEXT = Lambda()
NOW = Instant(1_800_000_000_000_000)
INTERNAL = "an internal detail"


class RecordingRoutes:
    """Handlers for the router. The handler `open` records its requests."""

    def __init__(self) -> None:
        self.seen: list[HttpRequest] = []

    def open(self, request: HttpRequest) -> HttpResponse:
        self.seen.append(request)
        return response.json_response({"path": request.path}, request.request_id)

    def rejected(self, request: HttpRequest) -> HttpResponse:
        raise InvalidRadiusError(request.path)

    def unavailable(self, _: HttpRequest) -> HttpResponse:
        raise UnavailableError(INTERNAL, retry_after_s=1) from TimeoutError(INTERNAL)

    def failed(self, _: HttpRequest) -> HttpResponse:
        raise InternalError from ChildProcessError(INTERNAL)

    def rejected_with_cause(self, _: HttpRequest) -> HttpResponse:
        raise InvalidRadiusError(INTERNAL) from ValueError(INTERNAL)

    def long(self, _: HttpRequest) -> HttpResponse:
        raise RuntimeError("x" * 100_000)

    def image(self, request: HttpRequest) -> HttpResponse:
        headers: dict[str, str | list[str]] = {"X-Request-Id": request.request_id}
        return Response(200, "image/png", b"\x89PNG", headers)

    def broken(self, request: HttpRequest) -> HttpResponse:
        raise RuntimeError(request.path)


@pytest.fixture
def handlers() -> RecordingRoutes:
    return RecordingRoutes()


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def router(handlers: RecordingRoutes, log: io.StringIO) -> Router:
    routes: Routes = {
        "/": {"GET": handlers.open},
        "/route": {"GET": handlers.open, "POST": handlers.open},
        "/rejected": {"GET": handlers.rejected},
        "/broken": {"GET": handlers.broken},
        "/long": {"GET": handlers.long},
        "/image": {"GET": handlers.image},
        "/posted": {"POST": handlers.open},
        "/things/{name}/parts": {"GET": handlers.open},
        "/quiet": {"GET": handlers.open},
        "/unavailable": {"GET": handlers.unavailable},
        "/failed": {"GET": handlers.failed},
        "/rejected_with_cause": {"GET": handlers.rejected_with_cause},
    }
    logger = Logger(service=f"test-{id(log)}", stream=log)
    return Router(
        routes,
        clock=lambda: NOW,
        logger=logger,
        observe=cloudwatch_metrics(Metrics(namespace="Test", service="test")),
        quiet={"/quiet", "/broken"},
    )


def call(router: Router, method: str, path: str) -> dict[str, Any]:
    event = make.event(method, path)
    event["requestContext"]["requestId"] = "id"
    return router(event, CONTEXT)


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]

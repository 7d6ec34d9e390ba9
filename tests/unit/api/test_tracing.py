"""Traces for X-Ray, with the real SDK and an emitter that sends nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger, Tracer
from events import make

from bgblur.serving.proxy_events import InvocationContext
from blur.accounts.model import Instant
from blur.api import response
from blur.api.router import Router
from blur.api.tracing import record_trace, traced

if TYPE_CHECKING:
    from blur.api.request import HttpRequest
    from blur.api.router import HttpResponse


class Emitter:
    """An emitter that keeps the traces and does not send them to X-Ray."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send_entity(self, entity: Any) -> None:  # noqa: ANN401 - the SDK has no types
        self.sent.append(json.loads(entity.serialize()))


@pytest.fixture
def emitter() -> Iterator[Emitter]:
    """Replace the emitter of the SDK's recorder, and yield the new emitter within a segment.

    The import of the SDK creates the recorder, which opens a socket and never closes it. So the SDK
    is imported here and not at the top of the module.
    """
    from aws_xray_sdk.core import xray_recorder  # noqa: PLC0415

    if not isinstance(xray_recorder.emitter, Emitter):
        xray_recorder.emitter._socket.close()  # noqa: SLF001 - the SDK has no method that closes the socket
    emitter = Emitter()
    xray_recorder.configure(emitter=emitter, sampling=False)
    xray_recorder.begin_segment("function")
    yield emitter
    xray_recorder.end_segment()


def health(request: HttpRequest) -> HttpResponse:
    return response.json_response({"private": "content"}, request.request_id)


def test_a_trace_has_the_id_the_path_the_status_and_the_cold_start_of_a_request_but_no_content(
    emitter: Emitter,
) -> None:
    tracer = Tracer(service="test", disabled=False, auto_patch=False)
    router = Router(
        {"/health": {"GET": health}},
        clock=lambda: Instant(0),
        logger=Logger(service="traces", stream=io.StringIO()),
        observe=record_trace(tracer),
    )
    event = make.event("GET", "/health", key=make.FUNDED)
    assert traced(router, tracer)(event, InvocationContext())["statusCode"] == 200
    (subsegment,) = emitter.sent
    assert subsegment["annotations"] == {
        "request_id": f"req_{event['requestContext']['requestId']}",
        "path": "/health",
        "status": 200,
        "cold_start": True,
    }
    assert "bytes_out" not in subsegment["annotations"]
    text = json.dumps(emitter.sent)
    assert make.FUNDED not in text
    assert "content" not in text

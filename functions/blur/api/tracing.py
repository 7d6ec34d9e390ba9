"""Add a trace of each request to AWS X-Ray, without headers, forms, images or responses.

The fields of the log line that operators search for are annotations of the trace. The time of each
step and other fields are X-Ray metadata: the trace shows them, but X-Ray cannot search for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aws_lambda_powertools import Tracer

    from blur.api.response_record import Observe, ResponseRecord
    from blur.api.router import Invocation

ANNOTATIONS = ("request_id", "path", "status", "code", "account", "cold_start")
"""The fields by which operators can search for a trace."""
METADATA = ("steps_ms", "megapixels", "format", "bytes_in", "bytes_out", "credits")
SUBSEGMENT = "answer"

Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]


def record_trace(tracer: Tracer) -> Observe:
    """Return a function that adds the record of a response to the current trace."""

    def observe(record: ResponseRecord) -> None:
        fields = record.log_fields()
        for name in ANNOTATIONS:
            if name in fields:
                tracer.put_annotation(name, fields[name])
        for name in METADATA:
            if name in fields:
                tracer.put_metadata(name, fields[name])

    return observe


def traced(handler: Handler, tracer: Tracer) -> Handler:
    """Return a handler that calls `handler` inside a subsegment of the trace."""

    def handle(event: Mapping[str, Any], context: Invocation) -> dict[str, Any]:
        with tracer.provider.in_subsegment(name=SUBSEGMENT):
            return handler(event, context)

    return handle

"""Metrics of each response, printed in CloudWatch's Embedded Metric Format.

CloudWatch charges for each combination of a metric's name and dimensions, so the only dimension is
the service. Values that would be further dimensions, such as the account, are only in the log line.
The prices are in docs/operations.md.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import MetricUnit

from blur.credits import credits_number

if TYPE_CHECKING:
    from aws_lambda_powertools import Metrics

    from blur.api.response_record import Observe, ResponseRecord

COLD_STARTS = "ColdStarts"


def cloudwatch_metrics(metrics: Metrics) -> Observe:
    """Return a function that prints the metrics of a response."""

    def observe(record: ResponseRecord) -> None:
        # Printing the metrics fails if standard output is a file on a full disk. The response must
        # still be sent, because the call can already be charged. The log line needs no such code,
        # because Python's `logging` ignores the error.
        with suppress(OSError):
            try:
                _add(metrics, record)
                metrics.flush_metrics()
            finally:
                metrics.clear_metrics()  # so that the next response does not print them again

    return observe


def _add(metrics: Metrics, record: ResponseRecord) -> None:
    add = metrics.add_metric
    add("Answers", MetricUnit.Count, 1)
    add("Duration", MetricUnit.Milliseconds, record.duration_ms)
    if record.code:
        add(record.code, MetricUnit.Count, 1)
    if record.is_cold:
        add(COLD_STARTS, MetricUnit.Count, 1)
    if record.credits:
        add("Credits", MetricUnit.Count, credits_number(record.credits))
    if record.photo_pixels:
        add("Megapixels", MetricUnit.Count, round(record.megapixels, 3))
        add("BytesIn", MetricUnit.Bytes, record.bytes_in)
        add("BytesOut", MetricUnit.Bytes, record.bytes_out)
    for name, duration_ms in record.steps_ms.items():
        add(step_metric(name), MetricUnit.Milliseconds, round(duration_ms, 1))


def step_metric(step: str) -> str:
    """Return the name of the metric for the time of a step."""
    return f"Step{step.capitalize()}"

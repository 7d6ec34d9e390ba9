"""The entry point of the worker of bulk jobs: a Lambda function that SQS calls.

A message names one or more objects; an object is one photo. If an object must be retried, SQS
delivers the message again; otherwise the message is deleted. `ApproximateReceiveCount` counts the
deliveries of the message, even if a worker was killed. While the store is unavailable, a delivery
does not count as an attempt: the worker sends a new message instead of the delivered message, so
that no photo fails because of a long outage.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)

from blur.engine import new_engine
from blur.job_app import build_runner
from blur.jobs.model import ObjectState
from blur.jobs.runner import Outcome
from blur.jobs.sqs import QUEUE_URL, ObjectQueue, read_message
from blur.settings import Settings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from blur.jobs.runner import EndedObject, ObjectRunner
    from blur.jobs.sqs import ObjectName

NAMESPACE, SERVICE = "BackgroundBlur", "background-blur"
RETRIED = "BulkRetried"
ENDED = {
    ObjectState.DONE: "BulkDone",
    ObjectState.FAILED: "BulkFailed",
    ObjectState.CANCELLED: "BulkCancelled",
}
"""The metric that counts objects, for each final state."""
INTERNAL_ERROR = "internal_error"


class NotEndedError(Exception):
    """An object of the message must be retried, so SQS delivers the message again."""


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Process the objects of each message; return the messages to deliver again."""
    return worker().handle(event, context)


@cache
def worker() -> JobWorker:
    """Return the worker of this process; it is created when the first event arrives."""
    logger, metrics = Logger(service=SERVICE), Metrics(namespace=NAMESPACE, service=SERVICE)
    settings = Settings.from_environ(os.environ)
    queue = ObjectQueue(os.environ[QUEUE_URL])
    runner = build_runner(settings, logger=logger, engine=new_engine(settings))
    return JobWorker(runner, queue, logger, metrics)


class JobWorker:
    """Processes messages, and counts the objects by their final state."""

    wait_s = 300
    """The delay before a photo is delivered again if the store was unavailable."""

    def __init__(
        self, runner: ObjectRunner, queue: ObjectQueue, logger: Logger, metrics: Metrics
    ) -> None:
        """Store a copy of the runner; the copy's callbacks also count objects and errors."""
        self._queue = queue
        self._runner = replace(runner, on_ended=self._on_ended, on_error=self._on_error)
        self._log_ended, self._log_error = runner.on_ended, runner.on_error
        self._logger, self._metrics = logger, metrics

    def handle(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Process a batch of messages, and print its metrics.

        The function does not fail if every message has to be delivered again.
        """
        processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
        try:
            return dict(process_partial_response(event, self._process, processor, context))
        finally:
            if self._metrics.metric_set:
                self._metrics.flush_metrics()

    def _process(self, record: SQSRecord, lambda_context: LambdaContext) -> None:
        """Process the objects of a message.

        Raises:
            NotEndedError: an object has to be retried.
            UnavailableError: the store and SQS are unavailable.
            ValueError: the message has an unknown format. After some deliveries, SQS moves the
            message to the dead-letter queue.

        """
        deliveries = int(record.attributes.approximate_receive_count)
        try:
            names = read_message(record.body)
        except ValueError:
            self._logger.exception("unknown message", extra={"message_id": record.message_id})
            raise
        for name in names:
            left_ms = lambda_context.get_remaining_time_in_millis()
            self._run(name._replace(attempts=name.attempts + deliveries), left_ms)

    def _run(self, name: ObjectName, left_ms: int) -> None:
        job_id, source, attempt = name
        outcome = self._runner.run(job_id, source, attempt=attempt, left_ms=left_ms)
        if outcome not in {Outcome.RETRY, Outcome.WAIT}:
            return
        self._metrics.add_metric(RETRIED, MetricUnit.Count, 1)
        fields = {"job": job_id, "attempt": attempt, "outcome": str(outcome)}
        self._logger.warning("the object is not finished; it is delivered again", extra=fields)
        if outcome is Outcome.RETRY:
            raise NotEndedError
        self._queue.defer(name._replace(attempts=attempt - 1), delay_s=self.wait_s)

    def _on_ended(self, ended: EndedObject) -> None:
        self._log_ended(ended)
        self._metrics.add_metric(ENDED[ended.row.state], MetricUnit.Count, 1)

    def _on_error(self, error: Exception) -> None:
        self._log_error(error)
        self._metrics.add_metric(INTERNAL_ERROR, MetricUnit.Count, 1)

"""A worker of bulk jobs that fails on purpose; a stub replaces the model.

The worker runs as a Lambda function in ministack. The name of a photo, `<fault>/<anything>`,
selects its fault:

    killed-<method>-before   the first worker is killed before it calls this method
    killed-<method>-after    the first worker is killed after the call
    poison                   every worker is killed
    unavailable-<method>     in the first attempt, about half of the calls of this method fail
"""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from tests.unit.imaging.predictors import DiscPredictor

from blur import job_handler
from blur.engine import Engine
from blur.errors import UnavailableError
from blur.job_app import build_runner
from blur.jobs.runner import ObjectRunner, Outcome
from blur.jobs.sqs import QUEUE_URL, ObjectQueue
from blur.settings import Settings

STORE = ("reserve_object", "end_object")
FILES = ("read_source", "write_result")
METHODS = (*STORE, *FILES)
POISON = "poison"


class Faulty:
    """Wraps a job store or a storage; for some photos, a method fails or kills the process."""

    fault = ""
    """The fault that all instances cause for the current photo; empty if they cause none."""

    def __init__(self, inner: object) -> None:
        """Wrap a job store, or the storage of the jobs' files."""
        self._inner = inner

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - returns any method
        """Return a method of the wrapped object that causes the fault of the current photo."""
        method: Callable[..., object] = getattr(self._inner, name)
        if name not in METHODS:
            return method

        def called(*args: object, **more: object) -> object:
            die_if(self.fault == f"killed-{name}-before")
            if self.fault == f"unavailable-{name}" and secrets.randbelow(2):
                message = "The account store cannot be reached."
                raise UnavailableError(message)
            returned = method(*args, **more)
            die_if(self.fault == f"killed-{name}-after")
            return returned

        return called


class FaultyRunner(ObjectRunner):
    """A runner that causes, for each photo, the fault that the photo's name selects."""

    def run(self, job_id: str, source: str, *, attempt: int, left_ms: int) -> Outcome:
        """Process an object; the first folder of its source is the name of the fault."""
        fault = source.partition("/")[0]
        Faulty.fault = fault if attempt == 1 else ""
        die_if(fault == POISON and attempt <= MAX_POISONED)
        return super().run(job_id, source, attempt=attempt, left_ms=left_ms)


MAX_POISONED = 3
"""A `poison` photo kills its worker in each of its attempts: the service makes this many."""


def die_if(condition: bool) -> None:  # noqa: FBT001 - `die_if(condition)` reads as a sentence
    """Kill this process, as Lambda kills a function that is out of memory."""
    if condition:
        os.kill(os.getpid(), signal.SIGKILL)


class QuickRetryWorker(job_handler.JobWorker):
    """A worker that retries a photo soon after the store was unavailable."""

    wait_s = 2


@cache
def worker() -> QuickRetryWorker:
    """Return the worker of this process."""
    logger = Logger(service=job_handler.SERVICE)
    settings = Settings.from_environ(os.environ)
    engine = Engine(model=DiscPredictor, max_pixels=settings.max_pixels)
    runner = build_runner(settings, logger=logger, engine=engine)
    parts = {field.name: getattr(runner, field.name) for field in fields(runner)}
    faulty = replace(FaultyRunner(**parts), jobs=Faulty(runner.jobs), files=Faulty(runner.files))
    metrics = Metrics(namespace=job_handler.NAMESPACE, service=job_handler.SERVICE)
    return QuickRetryWorker(faulty, ObjectQueue(os.environ[QUEUE_URL]), logger, metrics)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 - Lambda has no type for the context
    """Process the objects of each message."""
    return worker().handle(event, context)

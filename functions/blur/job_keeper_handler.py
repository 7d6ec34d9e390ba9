"""The entry point of the keeper of bulk jobs: a Lambda function that runs every minute.

The keeper resumes paused jobs, ends closed jobs, and announces ended jobs by notification and as an
event of EventBridge.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from blur.clock import now
from blur.job_app import build_keeper
from blur.jobs.document import job_document
from blur.jobs.sqs import QUEUE_URL, EventBus, ObjectQueue
from blur.settings import Settings
from blur.skew import CLOCK_SKEW_S

if TYPE_CHECKING:
    from blur.jobs.keeper import JobKeeper
    from blur.jobs.model import Job

SERVICE = "background-blur"
PERIOD_S = 60
"""The interval of the schedule in `template.yaml`."""
RETRY_S = 900
"""The keeper's `retry_s`: more than twice the queue's visibility time-out."""
WORKER_S = 60 + CLOCK_SKEW_S
"""The time-out of a worker, with a margin for clock skew."""
RUN_S = 120
"""The keeper's `max_run_s`: less than the function's time-out, because the last job can take a long
time, and notifications are sent after it."""


def handler(event: object, context: object) -> None:
    """Run the keeper once.

    If the jobs cannot be listed, the function fails, and `JobKeeperErrorsAlarm` reports the
    failure. An error of one job is logged, and the next run tries the job again.
    """
    del event, context
    keeper().run()


@cache
def keeper() -> JobKeeper:
    """Return the keeper of this process; it is created at the first event."""
    settings = Settings.from_environ(os.environ)
    queue, bus = ObjectQueue(os.environ[QUEUE_URL]), EventBus()

    def announce(job: Job) -> None:
        at_us = now()
        bus.publish_ended(job_document(job, now_us=at_us), at_us=at_us)

    built = build_keeper(
        settings,
        logger=Logger(service=SERVICE),
        enqueue=queue.enqueue,
        announce=announce,
        period_s=PERIOD_S,
        retry_s=RETRY_S,
        max_attempt_s=WORKER_S,
        max_run_s=RUN_S,
    )
    return replace(built, is_idle=queue.is_idle)

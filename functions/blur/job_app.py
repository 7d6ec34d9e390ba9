"""Builds the parts of bulk jobs: the service for routes, the runner for workers, and the keeper."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from blur.accounts.connect import open_account_store
from blur.api.job_request import parse_parameters
from blur.api.log_values import logged_exception
from blur.clock import now
from blur.credits import credits_number
from blur.job_errors import InvalidNotifyError
from blur.jobs.connect import open_job_store
from blur.jobs.service import JobService
from blur.parameter_errors import InvalidParameterError
from blur.prices import Prices
from blur.storage.location import open_storage

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from blur.accounts.model import Instant
    from blur.engine import Engine
    from blur.jobs.keeper import Enqueue, JobKeeper
    from blur.jobs.model import Job
    from blur.jobs.ports import JobFiles
    from blur.jobs.runner import EndedObject, ObjectRunner
    from blur.settings import Settings

SECRET_BYTES = 32


def open_jobs(
    settings: Settings, files: JobFiles | None, clock: Callable[[], Instant] = now
) -> JobService | None:
    """Return the service that the routes for jobs use; None if this server processes no jobs."""
    if files is None or not has_workers(settings):
        return None
    return JobService(
        jobs=open_job_store(settings.accounts),
        files=files,
        max_bytes=settings.max_upload_bytes,
        check_notify=notify_check(settings),
        clock=clock,
        new_id=lambda: f"job_{secrets.token_hex(16)}",
        new_secret=new_secret,
        public_url=settings.public_url.rstrip("/"),
    )


def has_workers(settings: Settings) -> bool:
    """Return whether this service processes photos of jobs.

    The embedded server processes the photos in its folder, with the queue in its SQLite file. On
    AWS, the bucket sends a message for each photo to workers, which use the DynamoDB table.
    """
    kinds = settings.accounts.partition(":")[0], settings.media.partition(":")[0]
    return kinds in {("sqlite", "folder"), ("dynamodb", "s3")}


def build_runner(
    settings: Settings,
    *,
    logger: Logger,
    engine: Engine,
    clock: Callable[[], Instant] = now,
) -> ObjectRunner:
    """Return the runner of a worker; the runner can share the `engine` of the worker's handler.

    The runner logs one line for each photo whose final row it writes.

    Raises:
        ValueError: the settings name no storage for photos of jobs.

    """
    from blur.jobs.runner import ObjectRunner  # noqa: PLC0415 - only workers need it

    def log_ended(ended: EndedObject) -> None:
        logger.info("object ended", extra=ended_fields(ended))

    def log_error(error: Exception) -> None:
        logger.error("an object failed", extra=logged_exception(error))

    return ObjectRunner(
        jobs=open_job_store(settings.accounts),
        files=open_job_files(settings),
        engine=engine,
        prices=Prices.of(settings),
        parse=parse_parameters,
        max_bytes=settings.max_upload_bytes,
        hold_ttl_s=settings.hold_ttl_s,
        deadline_margin_s=settings.deadline_margin_s,
        clock=clock,
        ticks=time.perf_counter_ns,
        on_ended=log_ended,
        on_error=log_error,
    )


def build_keeper(  # noqa: PLR0913 - it is called once, at the start
    settings: Settings,
    *,
    logger: Logger,
    enqueue: Enqueue,
    announce: Callable[[Job], None],
    period_s: int,
    retry_s: int,
    max_attempt_s: int,
    max_run_s: int,
    clock: Callable[[], Instant] = now,
) -> JobKeeper:
    """Return the keeper of the jobs; see `JobKeeper` for the arguments.

    Raises:
        ValueError: the settings name no storage for photos of jobs.

    """
    from blur.jobs.keeper import JobKeeper  # noqa: PLC0415 - only the keeper needs it
    from blur.jobs.runner import job_price  # noqa: PLC0415 - only the keeper needs it

    accounts, prices = open_account_store(settings.accounts), Prices.of(settings)

    def payable(job: Job) -> int | None:
        if not accounts.has_valid_key(job.account_id, job.key_digest, now_us=clock()):
            return None  # the key is not valid, so all photos fail
        try:
            price = job_price(job, prices, parse_parameters(job.parameters))
        except InvalidParameterError:  # only an older version accepted these values
            return None
        balance = accounts.read_account(job.account_id, now_us=clock()).balance
        return balance // price if price else None

    def log_error(error: Exception) -> None:
        logger.error("the keeper could not process a job", extra=logged_exception(error))

    return JobKeeper(
        jobs=open_job_store(settings.accounts),
        files=open_job_files(settings),
        payable=payable,
        enqueue=enqueue,
        announce=announce,
        notify=notifier(settings, clock),
        clock=clock,
        period_s=period_s,
        retry_s=retry_s,
        max_attempt_s=max_attempt_s,
        max_run_s=max_run_s,
        on_error=log_error,
    )


def open_job_files(settings: Settings) -> JobFiles:
    """Open the storage for the photos of jobs.

    Raises:
        ValueError: the settings name no storage for photos of jobs.

    """
    files = open_storage(settings.media).jobs
    if files is None:
        message = (
            f"BLUR_MEDIA={settings.media!r} cannot store the photos of jobs."
            " Set s3:<bucket> or folder:<path>."
        )
        raise ValueError(message)
    return files


def ended_fields(ended: EndedObject) -> dict[str, object]:
    """Return the fields of the log line for a photo's final row, without the photo's name."""
    row = ended.row
    return {
        "job": row.job_id,
        "object": row.object_id,
        "account": ended.job.account_id,
        "state": str(row.state),
        "code": row.code,
        "credits": credits_number(row.charged),
        "duration_ms": row.duration_ms,
        "steps_ms": {name: round(ms, 1) for name, ms in ended.steps_ms.items()},
        "megapixels": round(row.pixels / 1_000_000, 3),
    }


def new_secret() -> str:
    """Return a new secret for signatures, in the format of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def notifier(settings: Settings, clock: Callable[[], Instant]) -> Callable[[Job], bool]:
    """Return the function that sends the notification of a job; see `JobKeeper.notify`."""
    from blur.fetching.poster import Poster  # noqa: PLC0415 - only the keeper needs it
    from blur.jobs.notify import send  # noqa: PLC0415 - only the keeper needs it

    if not settings.fetch_urls:  # notifications were turned off after the job was created
        return lambda _: False
    post = Poster()
    return lambda job: send(job, post, now_us=clock())


def notify_check(settings: Settings) -> Callable[[str], None]:
    """Return the function that checks `notify` URLs; without `fetch_urls`, it rejects all URLs."""
    if settings.fetch_urls:
        from blur.jobs.notify import check_notify  # noqa: PLC0415 - an import here makes cold starts shorter

        return check_notify

    def reject(_: str) -> None:
        message = "This service sends no notifications. Leave out 'notify'."
        raise InvalidNotifyError(message)

    return reject

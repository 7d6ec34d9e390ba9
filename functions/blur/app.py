"""The composition root: builds the service and its routes, and does nothing else."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics

from blur.accounts.connect import open_account_store
from blur.api import response
from blur.api.account import account_document, account_status
from blur.api.blur_request import idempotency_key, parse_blur_request
from blur.api.cloudwatch import cloudwatch_metrics
from blur.api.description import description
from blur.api.jobs import job_routes
from blur.api.removebg.removal_request import Limits
from blur.api.removebg.responses import max_image_bytes
from blur.api.removebg.routes import removebg_routes
from blur.api.removebg.sources import MAX_FILE_BYTES
from blur.api.request_key import request_key
from blur.api.router import Router
from blur.api.site import Site
from blur.api.tracing import Handler, record_trace, traced
from blur.api.upload import upload_route
from blur.clock import now
from blur.imaging.decode.formats import is_supported
from blur.imaging.matting.models import (
    FACES_MISSING,
    PEOPLE_MISSING,
    get_model_spec,
    has_faces_model,
)
from blur.job_app import open_jobs
from blur.prices import Prices
from blur.service import ImageService
from blur.storage.large_results import Results
from blur.storage.location import open_storage
from blur.storage.owned_uploads import Uploads

if TYPE_CHECKING:
    from blur.accounts.lost_calls import StartedCall
    from blur.accounts.model import Instant
    from blur.api.request import HttpRequest
    from blur.api.response_record import Observe, ResponseRecord
    from blur.api.router import HttpResponse, Route, Routes
    from blur.engine import Engine
    from blur.jobs.service import JobService
    from blur.settings import Settings
    from blur.storage.ports import UploadStore

NAME = "background-blur"


def build_app(  # noqa: PLR0913 - it is called once, at the start
    settings: Settings,
    *,
    clock: Callable[[], Instant] = now,
    logger: Logger | None = None,
    opens_model: bool = True,
    on_lambda: bool = True,
    observe: Observe | None = None,
    on_start: Callable[[StartedCall], None] = lambda _: None,
    engine: Engine | None = None,
) -> Router:
    """Open the stores, load the model and return the handler that Lambda and servers call.

    Without a `logger`, JSON lines go to standard output. With `opens_model=False` the code that
    processes photos is imported, and the model opened, at the first photo. With `on_lambda`, the
    setting `base_path` has an effect, and responses on remove.bg's paths have a size limit, because
    they cannot redirect to a bucket. `observe` receives the record of each response; by default,
    the app prints metrics for CloudWatch on Lambda, and nothing elsewhere. `on_start` gets each
    call before the call reserves its hold. Pass an `engine` to share its neural networks with the
    code that runs jobs.

    Raises:
        ModelError: a model's file is missing or damaged.
        ValueError: the model or the kind of store is unknown.

    """
    get_model_spec(settings.model)  # reject an unknown model even if no photo is processed
    get_engine = cache(lambda: engine or import_engine(settings))
    # ONNX Runtime releases the GIL while it opens a model, so this thread can open the storage and
    # the store at the same time.
    with ThreadPoolExecutor(max_workers=1) as executor:
        opening = executor.submit(get_engine().open_networks) if opens_model else None
        storage, store = open_storage(settings.media), open_account_store(settings.accounts)
    logger = logger or Logger(service=NAME)
    if opening and not opening.result():
        logger.warning(PEOPLE_MISSING.format(settings.model_dir))
    if opening and not has_faces_model(settings.model_dir):
        logger.warning(FACES_MISSING.format(settings.model_dir))
    service = ImageService(
        store=store,
        engine=get_engine,
        results=Results(
            store=storage.results,
            max_inline_bytes=response.max_inline_bytes(settings.max_response_bytes),
            new_name=secrets.token_urlsafe,
        ),
        prices=Prices.of(settings),
        hold_ttl_s=settings.hold_ttl_s,
        dedupe_s=settings.removebg_dedupe_s,
        deadline_margin_s=settings.deadline_margin_s,
        clock=clock,
        ticks=time.perf_counter_ns,
        cpu_ticks=time.process_time_ns,
        ordinary_cpu_ms=settings.ordinary_cpu_ms,
        new_hold_id=lambda: uuid.uuid4().hex,
        on_start=on_start,
    )
    limits = Limits(
        max_body_bytes=settings.removebg_max_body_bytes,
        max_image_bytes=max_image_bytes(settings.max_response_bytes) if on_lambda else None,
        fetch=open_fetcher(settings),
    )
    uploads = open_uploads(storage.uploads, settings)
    jobs = open_jobs(settings, storage.jobs, clock)
    api = routes(service, uploads, settings.max_body_bytes, limits, jobs)
    site = site_routes(settings, storage.uploads, has_jobs=jobs is not None)
    return Router(
        {**api, **site},
        clock=clock,
        logger=logger,
        observe=observe or (printed_metrics() if on_lambda else lambda _: None),
        quiet={*site, "/health"},
        base_path=settings.base_path if on_lambda else "",
    )


def import_engine(settings: Settings) -> Engine:
    """Import all code that processes photos, and return the engine."""
    from blur.engine import new_engine  # noqa: PLC0415 - slow import, which not all processes need

    return new_engine(settings)


def build_handler(settings: Settings) -> Handler:
    """Return the handler for Lambda: the app, with traces if the settings turn them on."""
    if not settings.tracing:
        return build_app(settings)
    from aws_lambda_powertools import Tracer  # noqa: PLC0415 - an import here makes cold starts shorter

    # The tracer patches no library: a patched botocore would put the names of stored objects into
    # traces.
    tracer = Tracer(service=NAME, auto_patch=False)
    observers = (printed_metrics(), record_trace(tracer))

    def observe(record: ResponseRecord) -> None:
        for each in observers:
            each(record)

    return traced(build_app(settings, observe=observe), tracer)


def printed_metrics() -> Observe:
    """Return the function that prints the metrics of each response for CloudWatch."""
    return cloudwatch_metrics(Metrics(namespace="BackgroundBlur", service=NAME))


def open_uploads(store: UploadStore | None, settings: Settings) -> Uploads | None:
    """Return the object that presigns and reads uploads, or None if `store` is None."""
    if store is None:
        return None
    return Uploads(
        store=store,
        max_bytes=settings.max_upload_bytes,
        new_id=secrets.token_urlsafe,
        public_url=settings.public_url.rstrip("/"),
    )


def open_fetcher(settings: Settings) -> Callable[[str], bytes] | None:
    """Return the function that fetches images by URL, or None if `fetch_urls` is off."""
    if not settings.fetch_urls:
        return None
    from blur.fetching.fetcher import ImageFetcher  # noqa: PLC0415 - an import here makes cold starts shorter

    return ImageFetcher(is_image=is_supported, max_bytes=MAX_FILE_BYTES)


def site_routes(settings: Settings, store: UploadStore | None, *, has_jobs: bool) -> Routes:
    """Return the routes of the page; empty if the page's folder does not exist."""
    origin, url = store.origin if store else str, settings.public_url.rstrip("/")
    site = Site(
        settings.site_dir,
        storage_origin=origin,
        public_url=url,
        price=settings.price,
        person_price=settings.person_price(),
        has_jobs=has_jobs,
    )
    return site.routes() if settings.site_dir.is_dir() else {}


def routes(
    service: ImageService,
    uploads: Uploads | None,
    max_body_bytes: int,
    limits: Limits,
    jobs: JobService | None = None,
) -> Routes:
    """Return the routes of the API; if `uploads` or `jobs` is None, its routes are left out.

    `limits` are the limits for remove.bg's routes.
    """

    def blur(request: HttpRequest) -> HttpResponse:
        key = request_key(request)
        get_upload = partial(uploads.get, key.digest) if uploads else None
        result = service.run(
            key,
            partial(
                parse_blur_request, request, max_body_bytes=max_body_bytes, get_upload=get_upload
            ),
            prices=service.prices.blur,
            idempotency_key=idempotency_key(request),
            left_ms=request.left_ms,
            is_client_connected=request.is_client_connected,
            measured=request.measured,
        )
        return response.image_response(result, request.request_id)

    def account(request: HttpRequest) -> HttpResponse:
        key = request_key(request)
        view = service.account(key)
        request.measured.status = account_status(view)
        body = account_document(view)
        return response.json_response(body, request.request_id, request.measured.status)

    def health(request: HttpRequest) -> HttpResponse:
        return response.json_response({"status": "ok"}, request.request_id)

    table: dict[str, Mapping[str, Route]] = {
        "/v2/rembg/blur": {"POST": blur},
        "/v2/account": {"GET": account},
        "/health": {"GET": health},
        "/openapi.json": {"GET": description},
        **removebg_routes(service, limits),
    }
    if uploads:
        table |= {"/v2/uploads": {"POST": upload_route(service, uploads)}}
    return {**table, **(job_routes(service, jobs) if jobs else {})}

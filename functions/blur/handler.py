"""The composition root: builds what is built once, and names the routes; nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger, Metrics

from blur.accounts import keys
from blur.accounts.connect import connect
from blur.api import response
from blur.api.account import account_document, account_standing
from blur.api.app import App
from blur.api.order import read_order
from blur.clock import now
from blur.errors import ApiError
from blur.imaging.models import spec_of
from blur.imaging.session import open_model
from blur.service import BlurService

if TYPE_CHECKING:
    from blur.accounts.model import Instant
    from blur.api.app import Answer, Routes
    from blur.api.request import HttpRequest
    from blur.settings import Settings

NAME = "background-blur"


def build(
    settings: Settings, *, clock: Callable[[], Instant] = now, logger: Logger | None = None
) -> App:
    """Open the store, load the model and return the handler that Lambda and servers call.

    Without a `logger` of the caller's, lines of JSON go to standard output.

    Raises:
        ModelMissingError: the weights are not where the settings say.
        ValueError: there is no such model, or no such kind of store.

    """
    service = BlurService(
        store=connect(settings.accounts),
        model=open_model(spec_of(settings.model), settings.model_dir, threads=settings.threads()),
        price=settings.price,
        hold_ttl_s=settings.hold_ttl_s,
        max_pixels=settings.max_pixels,
        deadline_margin_s=settings.deadline_margin_s,
        clock=clock,
        new_hold_id=lambda: uuid.uuid4().hex,
    )
    return App(
        routes(service, settings.max_body_bytes),
        logger=logger or Logger(service=NAME),
        metrics=Metrics(namespace="BackgroundBlur", service=NAME),
    )


def routes(service: BlurService, max_body_bytes: int) -> Routes:
    """Return every route of the API."""

    def blur(request: HttpRequest) -> Answer:
        key = keys.parse(request.headers.get("apikey", ""))
        try:
            order = read_order(request, max_body_bytes=max_body_bytes)
        except ApiError as error:
            error.standing = service.count(key)
            raise
        made = service.blur(key, order, left_ms=request.left_ms)
        return response.picture(made, request.request_id)

    def account(request: HttpRequest) -> Answer:
        key = keys.parse(request.headers.get("apikey", ""))
        view = service.account(key)
        body = account_document(view)
        return response.document(body, request.request_id, account_standing(view))

    def health(request: HttpRequest) -> Answer:
        return response.document({"status": "ok"}, request.request_id)

    return {
        "/v2/rembg/blur": {"POST": blur},
        "/v2/account": {"GET": account},
        "/health": {"GET": health},
    }

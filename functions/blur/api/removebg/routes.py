"""The two routes of remove.bg's API that this service has."""

from __future__ import annotations

from functools import cache, partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from blur.api.account import account_status
from blur.api.blur_request import idempotency_key
from blur.api.headers import removebg_headers
from blur.api.removebg.paths import ACCOUNT_PATH, REMOVEBG_PATH
from blur.api.removebg.removal_request import parse_removal_request
from blur.api.removebg.responses import account_document, removal_response
from blur.api.request_key import request_key
from blur.api.response import json_object

if TYPE_CHECKING:
    from blur.api.removebg.removal_request import Limits
    from blur.api.request import HttpRequest
    from blur.api.router import HttpResponse, Routes
    from blur.service import ImageService


def removebg_routes(service: ImageService, limits: Limits) -> Routes:
    """Return the routes for clients of remove.bg."""

    def remove(request: HttpRequest) -> HttpResponse:
        parse = cache(partial(parse_removal_request, request, limits))
        result = service.run(
            request_key(request),
            lambda: parse().form,
            prices=service.prices.removal,
            form_first=True,
            idempotency_key=idempotency_key(request),
            left_ms=request.left_ms,
            is_client_connected=request.is_client_connected,
            measured=request.measured,
        )
        return removal_response(result, parse(), request.request_id, service.clock())

    def account(request: HttpRequest) -> HttpResponse:
        view = service.account(request_key(request))
        request.measured.status = account_status(view)
        headers = removebg_headers(request.request_id, request.measured.status, service.clock())
        return json_object(HTTPStatus.OK, account_document(view), headers)

    return {REMOVEBG_PATH: {"POST": remove}, ACCOUNT_PATH: {"GET": account}}

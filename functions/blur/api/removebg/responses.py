"""The responses of remove.bg's routes: an image, JSON that contains an image, or the account."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pybase64
from aws_lambda_powertools.event_handler import Response

from blur.api.headers import removebg_headers
from blur.api.response import base64_capacity, call_headers, json_object
from blur.credits import credits_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blur.accounts.model import AccountView, Instant
    from blur.api.removebg.removal_request import RemovalCall
    from blur.imaging.results import RemovedBackground
    from blur.service import CallResult

OVERHEAD_BYTES = 4_000
"""An upper bound for the size of a response without its image: the headers and JSON with the
longest values."""


def removal_response(
    result: CallResult[RemovedBackground], call: RemovalCall, request_id: str, now_us: Instant
) -> Response[Any]:
    """Return the image, or a JSON document with the image as base64."""
    headers = _headers(result, request_id, now_us)
    if call.form.has_type:
        headers["X-Type"] = result.output.subject_type
    image = result.output.image
    if call.sends_json:
        return json_object(HTTPStatus.OK, _document(result.output), headers)
    return Response(HTTPStatus.OK.value, image.content_type, image.data, headers)


def account_document(view: AccountView) -> Mapping[str, Any]:
    """Return the account in remove.bg's format, without additional members.

    remove.bg's Ruby client fails if the document has an additional member. All credits are prepaid,
    so they are in `payg` ("pay as you go"). Accounts have no quota of free calls.
    """
    balance = credits_number(view.account.balance)
    credits_ = {"total": balance, "subscription": 0, "payg": balance, "enterprise": 0}
    attributes = {"credits": credits_, "api": {"free_calls": 0, "sizes": "all"}}
    return {"data": {"attributes": attributes}}


def max_image_bytes(max_response_bytes: int) -> int:
    """Return the size of the largest image that fits into a response of `max_response_bytes`.

    The size is the same for an image and for JSON: in both, the image is encoded as base64.
    """
    return base64_capacity(max_response_bytes - OVERHEAD_BYTES)


def _headers(
    result: CallResult[RemovedBackground], request_id: str, now_us: Instant
) -> dict[str, str | list[str]]:
    output, foreground = result.output, result.output.foreground
    numbers = {
        "X-Width": output.size[0],
        "X-Height": output.size[1],
        "X-Max-Width": output.max_size[0],
        "X-Max-Height": output.max_size[1],
        "X-Foreground-Top": foreground.top,
        "X-Foreground-Left": foreground.left,
        "X-Foreground-Width": foreground.width,
        "X-Foreground-Height": foreground.height,
    }
    shared = removebg_headers(request_id, result.status, now_us)
    return shared | call_headers(result) | {name: str(each) for name, each in numbers.items()}


def _document(output: RemovedBackground) -> Mapping[str, Any]:
    foreground = output.foreground
    return {
        "data": {
            "result_b64": pybase64.b64encode_as_string(output.image.data),
            "foreground_top": foreground.top,
            "foreground_left": foreground.left,
            "foreground_width": foreground.width,
            "foreground_height": foreground.height,
        }
    }

"""Responses of remove.bg's routes."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from events import make

from blur.account_status import AccountStatus, RateLimit, RateLimitStatus
from blur.accounts.model import Account, AccountView, Instant, KeyKind, KeyRecord
from blur.api import response
from blur.api.removebg.removal_request import RemovalCall
from blur.api.removebg.responses import (
    OVERHEAD_BYTES,
    account_document,
    max_image_bytes,
    removal_response,
)
from blur.credits import QUARTER, ZERO, Credits, whole
from blur.forms import ImageInput, RemovalForm
from blur.imaging.removal.options import RemovalOptions
from blur.imaging.results import EncodedImage, Foreground, RemovedBackground
from blur.service import REMOVAL_STEPS, CallResult
from blur.timing import TOTAL

NOW = Instant(1_800_000_000_000_001)
RATE = RateLimitStatus(RateLimit(60, 10), 4, 6)
STATUS = AccountStatus(QUARTER, Credits(11), RATE)
OUTPUT = RemovedBackground(
    EncodedImage(b"bytes", "image/png"), (30, 20), (300, 200), Foreground(1, 2, 3, 4), "person"
)
RESULT = CallResult(OUTPUT, STATUS, replayed=False, durations_ms={"total": 12.34})
CALL = RemovalCall(
    form=RemovalForm(options=RemovalOptions(), image=ImageInput.of_file(b""), is_preview=True),
    sends_json=False,
)


def test_an_image_response_has_remove_bgs_headers_and_our_headers() -> None:
    sent = removal_response(RESULT, CALL, "req_1", NOW)
    assert (sent.status_code, sent.content_type, sent.body) == (200, "image/png", b"bytes")
    exposed = sent.headers.pop("Access-Control-Expose-Headers")
    assert sent.headers == {
        "Content-Type": "image/png",
        "X-Request-Id": "req_1",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Access-Control-Allow-Origin": "*",
        "Timing-Allow-Origin": "*",
        "X-Credits-Charged": "0.25",
        "X-Credits-Remaining": "2.75",
        "RateLimit-Policy": '"requests";q=10;w=10',
        "RateLimit": '"requests";r=4;t=6',
        "X-RateLimit-Limit": "10",
        "X-RateLimit-Remaining": "4",
        "X-RateLimit-Reset": "1800000007",
        "Server-Timing": "total;dur=12.3",
        "X-Type": "person",
        "X-Width": "30",
        "X-Height": "20",
        "X-Max-Width": "300",
        "X-Max-Height": "200",
        "X-Foreground-Top": "1",
        "X-Foreground-Left": "2",
        "X-Foreground-Width": "3",
        "X-Foreground-Height": "4",
    }
    hidden = {"Cache-Control", "Content-Type", "X-Content-Type-Options"}
    hidden |= {"Access-Control-Allow-Origin", "Timing-Allow-Origin"}
    assert set(sent.headers) - hidden <= set(str(exposed).split(", "))


def test_a_json_response_has_the_image_in_base64_and_the_foreground_box() -> None:
    sent = removal_response(RESULT, replace(CALL, sends_json=True), "req_1", NOW)
    assert sent.content_type == "application/json"
    assert json.loads(sent.body or "") == {
        "data": {
            "result_b64": base64.b64encode(b"bytes").decode(),
            "foreground_top": 1,
            "foreground_left": 2,
            "foreground_width": 3,
            "foreground_height": 4,
        }
    }
    assert sent.headers["X-Type"] == "person"


def test_the_response_has_no_x_type_header_if_the_request_does_not_ask_for_the_type() -> None:
    sent = removal_response(
        RESULT, replace(CALL, form=replace(CALL.form, has_type=False)), "req_1", NOW
    )
    assert "X-Type" not in sent.headers


def test_a_replayed_response_has_the_header_idempotent_replayed() -> None:
    sent = removal_response(replace(RESULT, replayed=True), CALL, "req_1", NOW)
    assert sent.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("sends_json", [False, True])
@pytest.mark.parametrize("limit", [6_000, 100_000])
def test_the_response_with_the_largest_image_and_the_longest_headers_is_within_the_limit(
    limit: int, *, sends_json: bool
) -> None:
    many = 10**15
    rate = RateLimitStatus(RateLimit(1, many), many, 10**9)
    amount = Credits(whole(many) + QUARTER)
    output = OUTPUT._replace(
        image=EncodedImage(bytes(max_image_bytes(limit)), "application/zip"),
        size=(10**8, 10**8),
        max_size=(10**8, 10**8),
        foreground=Foreground(10**8, 10**8, 10**8, 10**8),
    )
    durations_ms = dict.fromkeys((*REMOVAL_STEPS, TOTAL), float(many))
    result = CallResult(output, AccountStatus(amount, amount, rate), True, durations_ms)  # noqa: FBT003
    call = replace(CALL, sends_json=sends_json)
    request_id = "req_" + "x" * 100

    def respond() -> Any:  # noqa: ANN401 - any response
        return response.encode_body(removal_response(result, call, request_id, NOW))

    resolver = APIGatewayRestResolver()
    resolver.get("/")(respond)
    sent = len(json.dumps(resolver.resolve(make.event("GET", "/"), None)))  # type: ignore[arg-type]
    assert limit - OVERHEAD_BYTES < sent <= limit


def test_a_limit_below_the_size_of_the_headers_allows_no_image() -> None:
    assert max_image_bytes(1_000) == 0
    assert max_image_bytes(4_003) == 0
    assert max_image_bytes(4_004) == 3


@pytest.mark.parametrize(("balance", "number"), [(whole(3), 3), (Credits(13), 3.25), (ZERO, 0)])
def test_the_account_document_has_the_balance_as_total_and_as_prepaid_credits(
    balance: Credits, number: float
) -> None:
    account = Account("id", "name", NOW, balance, ZERO, balance, ZERO)
    limit = RateLimit(60, 10)
    key = KeyRecord("d", "id", KeyKind.LIVE, "p", NOW, None, revoked=False, limit=limit)
    assert account_document(AccountView(account, key, RATE)) == {
        "data": {
            "attributes": {
                "credits": {"total": number, "subscription": 0, "payg": number, "enterprise": 0},
                "api": {"free_calls": 0, "sizes": "all"},
            }
        }
    }
